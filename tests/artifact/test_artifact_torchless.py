"""Predict works where torch and transformers cannot be imported."""

import json
import subprocess
import sys

CODE = """
import sys, time
started = time.perf_counter()

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "onnx", "onnxscript", "accelerate", "safetensors", "scipy"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
from understudy.artifact import Artifact, predict_file
artifact = Artifact(sys.argv[1])
loaded = time.perf_counter()
summary = predict_file(artifact, sys.argv[2], sys.argv[3])
import json
heavy = sorted({"torch", "transformers", "onnx", "onnxscript", "fastapi", "jaxtyping"} & set(sys.modules))
ours = sorted(name for name in sys.modules if name.startswith("understudy."))
took = time.perf_counter()
print(json.dumps({"answered": summary.answered, "heavy": heavy, "ours": ours, "load": loaded - started, "all": took - started}))
"""


def test_predict_without_torch(reader, world, tmp_path):
    (tmp_path / "in.csv").write_text("said,age,town\nthe big cat,40,Ulm\n,,\nred sun,,Rom\n")
    for artifact in (reader.artifact, world.artifact):
        command = [sys.executable, "-c", CODE, str(artifact), str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["answered"] == 2
        assert found["heavy"] == []
        parts = {name.split(".")[1] for name in found["ours"]}
        assert parts == {"artifact", "prepare", "process"}
        assert not {"understudy.artifact.export", "understudy.artifact.graph"} & set(found["ours"])
        # Loose: measured at about half a second alone on one core.
        assert found["all"] < 20
        print(found["load"], found["all"])
