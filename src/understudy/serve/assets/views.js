// Views: one row's cell as the fields that a graph reads, {values, shape} each, as `understudy.prepare` makes them; null is absent.
const LIMIT = 10, CORNERS = 4, UNKNOWN = 1;

/** The function from a cell to fields that a contract's view is. assets: their contents, JSON. */
export async function view(kind, state, assets) {
  if (!(kind in VIEWS)) throw new Error(`a page cannot prepare what the view ${kind} does`);
  return VIEWS[kind](state, assets);
}

const VIEWS = {Vector: vector, Knots: vector, Table: table, Sequence: sequence, Regions: regions, StoredFrames: frames, Text: text, Terms: terms, Choices: choices};

/** In train deviations from the train mean; 0 where missing. */
function standardised({mean, scale}) {
  const one = (value, place) => value === null ? 0 : Math.min(Math.max((value - mean[place]) / scale[place], -LIMIT), LIMIT);
  return values => (values ?? mean.map(() => null)).map(one);
}

function vector({standard}) {
  const apply = standardised(standard), shape = [standard.mean.length];
  return cell => ({values: {values: apply(cell), shape}});
}

function table({numbers, standard, categories}) {
  const apply = standardised(standard), known = categories.map(([name, words]) => [name, new Map(words.map((word, place) => [word, place + 1]))]);
  return cell => {
    const raw = numbers.map(name => cell?.[name] ?? null);
    return {
      numbers: {values: apply(raw), shape: [numbers.length]},
      missing: {values: raw.map(value => cell !== null && value === null), shape: [numbers.length]},
      categories: {values: known.map(([name, ids]) => ids.get(cell?.[name]) ?? 0), shape: [known.length]},
    };
  };
}

/** Steps of numbers, at least one. */
const padded = (steps, width) => ({values: steps.length ? steps.flat() : Array(width).fill(0), shape: [Math.max(1, steps.length), width]});
const mask = steps => ({values: steps.length ? steps.map(() => true) : [false], shape: [Math.max(1, steps.length)]});

function sequence({max_steps, standard}) {
  const apply = standardised(standard);
  return cell => {
    const steps = (cell ?? []).slice(0, max_steps);
    return {values: padded(steps.map(apply), standard.mean.length), mask: mask(steps)};
  };
}

function regions({max_regions, standard}) {
  const apply = standardised(standard);
  return cell => {
    const kept = (cell ?? []).slice(0, max_regions), boxes = kept.map(each => each.slice(0, CORNERS));
    return {values: padded(kept.map(each => apply(each.slice(CORNERS))), standard.mean.length), boxes: padded(boxes, CORNERS), mask: mask(kept)};
  };
}

function frames({frames, patches, width, views}) {
  return cell => {
    const steps = cell ?? Array.from({length: frames + patches}, () => Array(width).fill(0));
    if (cell && cell.length !== views * (frames + patches)) throw new Error(`${cell.length} steps; expected ${views} x ${frames + patches}`);
    const some = (from, count) => ({values: steps.slice(from, from + count).flat().map(each => each ?? NaN), shape: [count, width]});
    return {frames: some(0, frames), patches: some(frames, patches)};
  };
}

async function text(state, assets) {
  const encode = await encoder(state, assets["tokenizer.json"]);
  return cell => {
    const ids = cell === null ? [] : encode(cell);
    return {ids: {values: ids.length ? ids : [cell === null ? 0 : state.padding], shape: [Math.max(1, ids.length)]}, mask: mask(ids)};
  };
}

/** Words and pairs of neighbours, each with its TF-IDF. */
async function terms({max_tokens, rows}, assets) {
  const encode = await encoder({max_tokens}, assets["tokenizer.json"]), {pairs, held} = assets["terms.json"];
  const words = held.length - pairs.length, places = new Map(pairs.map((code, place) => [code, words + place]));
  return cell => {
    const ids = cell === null ? [] : encode(cell), known = ids.map(word => word > UNKNOWN);
    const neighbours = ids.map((word, at) => known[at - 1] && known[at] ? places.get(ids[at - 1] * words + word) : undefined);
    const times = new Map();
    for (const term of [...ids.filter((_, at) => known[at]), ...neighbours.filter(term => term !== undefined)])
      times.set(term, (times.get(term) ?? 0) + 1);
    const found = [...times.keys()].sort((a, b) => a - b);
    const weights = found.map(term => (1 + Math.log(times.get(term))) * (1 + Math.log((1 + rows) / (1 + held[term]))));
    const length = Math.hypot(...weights), shape = [Math.max(1, found.length)];
    return {
      ids: {values: found.length ? found : [0], shape}, mask: mask(found),
      weights: {values: found.length ? weights.map(weight => weight / length) : [0], shape},
    };
  };
}

async function choices({text: state, choices: count}, assets) {
  const encode = await encoder(state, assets["tokenizer.json"]);
  return cell => {
    const rows = cell === null ? Array.from({length: count}, () => []) : cell.map(encode), longest = Math.max(1, ...rows.map(row => row.length));
    const steps = Array.from({length: longest}, (_, step) => step), shape = [longest, count];
    return {
      ids: {values: steps.flatMap(step => rows.map(row => row[step] ?? (cell === null ? 0 : state.padding))), shape},
      mask: {values: steps.flatMap(step => rows.map(row => step < row.length)), shape},
    };
  };
}

/** From a text to its ids: what is too long loses its end, or its beginning, but none of the tokenizer's own tokens. */
async function encoder({max_tokens, cut}, file) {
  const {Tokenizer} = await import("../lib/tokenizers.min.mjs");
  const tokenizer = made(Tokenizer, file), bare = each => tokenizer.encode(each, {add_special_tokens: false}).ids;
  const [whole, inside] = [tokenizer.encode("a").ids, bare("a")];
  const before = whole.findIndex((_, from) => inside.every((id, place) => whole[from + place] === id));
  const first = whole.slice(0, before), last = whole.slice(before + inside.length), room = max_tokens - first.length - last.length;
  const plain = lowers(file.normalizer) ? each => each.replace(SIGMAS, "σ") : each => each;
  return given => {
    const ids = bare(plain(given));
    const kept = ids.length <= room ? ids : cut === "left" ? ids.slice(ids.length - room) : ids.slice(0, room);
    return [...first, ...kept, ...last];
  };
}

function made(Tokenizer, file) {
  try { return new Tokenizer(file, {unk_token: file.model.unk_token}); }
  catch (error) { throw new Error(`a browser cannot read the student's tokenizer: ${error.message}; answer with understudy serve`); }
}

// JavaScript makes another letter of a capital sigma at a word's end, which the tokenizers that trained the student do not.
const SIGMAS = /[\u03a3\u03f9\u{1d6ba}\u{1d6f4}\u{1d72e}\u{1d768}\u{1d7a2}]/gu;
const lowers = each => each?.type === "Lowercase" || each?.lowercase === true || (each?.normalizers ?? []).some(lowers);
