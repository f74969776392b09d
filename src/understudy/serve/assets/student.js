// A student of `understudy export` in a browser: rows in, the same predictions out as those of `understudy predict`.
import * as ort from "../lib/ort.wasm.bundle.min.mjs";
import {cell} from "./cells.js";
import {Sureness} from "./sureness.js";
import {view} from "./views.js";

// More need headers (cross-origin isolation) that few static hosts send.
ort.env.wasm.numThreads = 1;

const ARRAYS = {
  float32: Float32Array.from.bind(Float32Array), float64: Float64Array.from.bind(Float64Array), bool: Uint8Array.from.bind(Uint8Array),
  int64: values => BigInt64Array.from(values, BigInt),
};

async function get(url) {
  const found = await fetch(url);
  if (!found.ok) throw new Error(`${url} cannot be had: ${found.status} ${found.statusText}`);
  return found;
}

/** The student in an artifact's folder, an URL that ends with a slash. */
export async function open(folder) {
  const at = name => new URL(name, new URL(folder, document.baseURI));
  const contract = await (await get(at("contract.json"))).json();
  const names = Object.keys(contract.modalities), branches = contract.task.branches ?? [];
  const views = Object.fromEntries(await Promise.all(names.map(async name => {
    const {view: kind, state, assets} = contract.views[name], contents = {};
    for (const [asset, file] of Object.entries(assets)) contents[asset] = await (await get(at(file))).json();
    return [name, await view(kind, state, contents)];
  })));
  check(views, await (await get(at("../probes.json"))).json());
  const graphs = branches.length ? branches.map(each => [[each], `student-${each}.onnx`]) : [[names, "student.onnx"]];
  const sessions = [];
  // One after the other: the library starts its machine with the first.
  for (const [reads, file] of graphs) sessions.push([reads, await ort.InferenceSession.create(await (await get(at(file))).arrayBuffer())]);
  return new Student(contract, views, sessions);
}

/** Error where a text is cut into other tokens than those that the student learnt from. */
function check(views, probes) {
  for (const [name, cells] of Object.entries(probes)) for (const [cell, ids] of cells) {
    const found = views[name](cell).ids.values;
    if (found.length !== ids.length || ids.some((id, place) => id !== found[place]))
      throw new Error(`a browser reads '${String(cell).slice(0, 40)}' as other tokens of ${name} than the student learnt from: answer with understudy serve`);
  }
}

class Student {
  constructor(contract, views, sessions) {
    Object.assign(this, {contract, views, sessions});
    this.modalities = contract.modalities;
    this.sureness = contract.confidence ? new Sureness(contract.confidence, contract.task) : null;
  }

  /**
   * A prediction for each row, which is an object of columns, as `/v1/predict` answers them: null where nothing is there.
   * coverage: of intervals or sets of classes. min_confidence: below it there is no prediction, of classes.
   */
  async predict(rows, {coverage = 0, min_confidence = 0} = {}) {
    if ((coverage || min_confidence) && !this.sureness) throw new Error("this student does not say how sure it is");
    const found = [];
    for (const row of rows) found.push(await this.#one(row, coverage, min_confidence));
    return found;
  }

  async #one(row, coverage, least) {
    const cells = this.#cells(row), {branches} = this.contract.task;
    if (branches) {
      const places = {};
      for (const [[branch], session] of this.sessions)
        places[`embedding_${branch}`] = cells[branch] == null ? null : await this.#run(session, [branch], cells);
      return places;
    }
    const [[reads, session]] = this.sessions;
    const seen = Object.values(cells).some(value => value !== null);
    return this.#said(seen ? await this.#run(session, reads, cells) : null, coverage, least);
  }

  /** The value of each modality that the row has columns of; a part of a modality's columns is an error. */
  #cells(row) {
    const found = {}, wanted = Object.entries(this.modalities).map(([name, each]) => [name, each, columnsOf(name, each)]);
    for (const [name, modality, columns] of wanted) {
      const missing = columns.filter(column => !(column in row));
      if (missing.length === columns.length) continue;
      if (missing.length) throw new Error(`modality '${name}' needs the missing column ${missing.join(", ")}`);
      found[name] = cell(name, modality, columns, row);
    }
    if (!Object.keys(found).length) throw new Error(`this student reads ${wanted.flatMap(([, , columns]) => columns).join(", ")}`);
    return found;
  }

  async #run(session, reads, cells) {
    const fields = {};
    for (const name of reads) {
      const value = cells[name] ?? null;
      fields[`${name}.present`] = {values: [value !== null], shape: []};
      for (const [field, each] of Object.entries(this.views[name](value))) fields[`${name}.${field}`] = each;
    }
    const feeds = {};
    for (const {name, dtype} of this.contract.inputs.filter(each => session.inputNames.includes(each.name))) {
      const {values, shape} = fields[name];
      feeds[name] = new ort.Tensor(dtype, ARRAYS[dtype](values), [1, ...shape]);
    }
    const said = await session.run(feeds);
    return Array.from(said[this.contract.output].data, Number);
  }

  #said(values, coverage, least) {
    const {classes, choices, kind} = this.contract.task;
    if (!classes && !choices) {
      const said = {prediction: values && values[0]};
      if (coverage) [said.low, said.high] = values ? this.sureness.interval(values[0], coverage) : [null, null];
      return said;
    }
    const words = classes ?? Array.from({length: choices}, (_, place) => place);
    const shares = values && this.sureness ? this.sureness.calibrated(values) : values;
    const best = shares && shares.indexOf(Math.max(...shares));
    const said = {prediction: shares && shares[best] >= least ? words[best] : null};
    if (kind === "multilabel") return {...said, probability: shares && shares[best]};
    words.forEach((word, place) => { said[`probability_${word}`] = shares && shares[place]; });
    if (coverage) {
      const inside = shares && this.sureness.set(shares, coverage);
      words.forEach((word, place) => { said[`in_set_${word}`] = inside && inside[place]; });
    }
    return said;
  }
}

function columnsOf(name, modality) {
  if (modality.source?.length) return modality.source;
  const columns = Object.keys(modality.columns ?? {});
  return columns.length ? columns : [name];
}
