"""The command line: command name -> function, and nothing else."""

import json
import sys
from collections.abc import Sequence

import tyro

from understudy.commands import data, protocol, ship, study, vision_language, vision_table
from understudy.commands.answer import Answer

COMMANDS = {
    "demo": study.demo,
    "import": {
        "table": data.import_table,
        "mfeat": data.import_mfeat,
        "mosi": data.import_mosi,
        "mmsa": data.import_mmsa,
        "csd": data.import_csd,
        "raw": data.import_raw,
        "av-digits": data.import_av_digits,
        "wikipedia": data.import_wikipedia,
        "stamps": data.import_stamps,
        "av-hdf5": data.import_av_hdf5,
        "iemocap": protocol.import_iemocap,
        "mult": protocol.import_mult,
        "ucf": protocol.import_ucf,
        "activitynet": protocol.import_activitynet,
        "vcr": vision_language.import_vcr,
        "snli-ve": vision_language.import_snli_ve,
        "vqa": vision_language.import_vqa,
    },
    "check": data.check,
    "split": data.split,
    "advise": study.advise,
    "distill": study.distill,
    "evaluate": study.evaluate,
    "search": protocol.search,
    "information": protocol.information,
    "protocol": {
        "vision-language": vision_table.vision_language,
        "score-vqa": vision_language.score_vqa,
        "score-vcr": vision_language.score_vcr,
        "score-snli-ve": vision_language.score_snli_ve,
        "q-ar": vision_language.q_ar,
        "submit-vqa": vision_language.submit_vqa,
        "submit-vcr": vision_language.submit_vcr,
        "rule-sets": vision_language.rule_sets,
        "words-only-hard": vision_language.words_only_hard,
    },
    "compare": study.compare,
    "store": study.store,
    "export": ship.export,
    "predict": ship.predict,
    "serve": ship.serve,
    "report": study.report,
    "list": study.list_,
}
GROUPS = {"import": data.import_, "protocol": vision_language.protocol}
"""What a group of commands says of itself among the others."""
ABOUT = """Train with every sense, ship with one: distil a multimodal teacher into a student that needs only some modalities.

Every command takes --json (one JSON document on stdout) and exits 0 on success, 2 on unusable arguments or input."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 on success, 2 for unusable arguments or input, 130 when interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    arguments = [a for a in arguments if a != "--json"]
    table, program = COMMANDS, "understudy"
    if arguments and arguments[0] in GROUPS:
        table, program, arguments = COMMANDS[arguments[0]], f"understudy {arguments[0]}", arguments[1:]
    functions = {name: f if callable(f) else GROUPS[name] for name, f in table.items()}
    try:
        answer = tyro.extras.subcommand_cli_from_dict(functions, prog=program, args=arguments, description=ABOUT)
        assert isinstance(answer, Answer)
    except (ValueError, KeyError, OSError, ImportError) as error:
        message = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        if isinstance(error, ModuleNotFoundError):
            message += "; this command needs more than is installed: pip install 'understudy[all]'"
        print(json.dumps({"error": message}) if as_json else f"understudy: {message}", file=sys.stdout if as_json else sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("understudy: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    if as_json:
        print(json.dumps(answer.document, indent=1, allow_nan=False))
    else:
        print(answer.text + (f"\n\nNext: {answer.next}" if answer.next else ""))
    return 0 if answer.ok else 2


if __name__ == "__main__":
    sys.exit(main())
