// One row's cell of a modality: what `understudy.prepare.source` reads of a table, null where it holds nothing.
const MISSING = ["", "na", "n/a", "nan", "null", "none"];
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, WHOLE = /^(-?(0|[1-9]\d*)?\.\d+|-0)$/;
const CORNERS = 4;

/** A modality's value in a row; Error that names the column. */
export function cell(name, modality, columns, row) {
  const values = columns.map(column => said(row[column]));
  const at = (what, place = 0) => new Error(`column '${columns[place] ?? columns[0]}': ${what}`);
  switch (modality.kind) {
    case "text": return words(values[0]);
    case "choices": return choices(columns.length > 1 ? values.map(words) : list(values[0], at).map(filled), modality.width, at);
    case "table": return table(columns, values, modality.columns, at);
    case "vector": return vector(columns.length > 1 || !Array.isArray(values[0]) ? values : values[0], modality, at);
    case "sequence": case "regions": return steps(list(values[0], at), modality, at);
  }
  throw at(`a page cannot prepare ${modality.kind}`);
}

const said = value => value === undefined || (typeof value === "string" && MISSING.includes(value.trim().toLowerCase())) ? null : value;
const filled = text => typeof text === "string" && text.trim() ? text : null;
const empty = values => values.every(each => each === null);

function list(value, at) {
  if (value !== null && !Array.isArray(value)) throw at("no list given");
  return value ?? [];
}

function number(value, at, place) {
  if (value === null || Number.isNaN(value)) return null;
  if (!["number", "boolean"].includes(typeof value)) throw at("no number given", place);
  if (!Number.isFinite(Math.fround(value))) throw at("infinite or beyond 3.4e+38; expected a finite number or none", place);
  return Number(value);
}

/** A number that may be written as words. */
function written(value, at, place) {
  if (typeof value !== "string") return number(value, at, place);
  const text = value.trim(), truth = ["false", "true"].indexOf(text.toLowerCase());
  if (truth < 0 && !NUMBER.test(text)) throw at(`'${text.slice(0, 40)}' is not a number`, place);
  return truth < 0 ? number(Number(text), at, place) : truth;
}

/** A category, or a text that is written as a number. */
function category(value) {
  if (value === null) return null;
  if (typeof value === "boolean") return value ? "True" : "False";
  const text = String(value).trim();
  if (typeof value === "string" && WHOLE.test(text)) return String(Number(text) || 0);
  return ["true", "false"].includes(text.toLowerCase()) ? text[0].toUpperCase() + text.slice(1).toLowerCase() : text;
}
const words = value => typeof value === "string" ? value : category(value);

function choices(values, width, at) {
  if (empty(values)) return null;
  if (values.length !== width) throw at(`${values.length} choices; expected ${width}`);
  if (values.includes(null)) throw at(`choice ${values.indexOf(null)} is empty; expected all ${width}, or none at all`);
  return values;
}

function table(columns, values, kinds, at) {
  const found = values.map((value, place) => kinds[columns[place]] === "number" ? written(value, at, place) : category(value));
  return empty(found) ? null : Object.fromEntries(columns.map((column, place) => [column, found[place]]));
}

const single = modality => modality.double ? value => value : value => value === null ? null : Math.fround(value);

function vector(values, modality, at) {
  if (!values.length) return null;
  const found = values.map((value, place) => number(value, at, place));
  if (empty(found)) return null;
  if (found.length !== modality.width) throw at(`a vector of ${found.length} numbers; expected ${modality.width}`);
  return found.map(single(modality));
}

function steps(rows, modality, at) {
  if (!rows.length) return null;
  const width = modality.width + (modality.kind === "regions" ? CORNERS : 0);
  const found = rows.map(step => {
    if (!Array.isArray(step) || step.length !== width) throw at(`expected lists of ${width} numbers`);
    return step.map(value => number(value, at)).map(single(modality));
  });
  if (modality.kind === "regions") found.forEach((region, place) => box(region, place, at));
  return found.every(empty) ? null : found;
}

function box([x1, y1, x2, y2], place, at) {
  const inside = [x1, y1, x2, y2].every(each => each !== null && each >= 0 && each <= 1);
  if (!inside || x1 >= x2 || y1 >= y2) throw at(`region ${place}: expected 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1`);
}
