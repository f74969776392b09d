// The form, and what is answered: `ask.js` says who is asked.
import {answer, card} from "./ask.js";

const models = JSON.parse(document.querySelector("#models").textContent);
const form = document.querySelector("form"), output = document.querySelector("output");
const labels = () => [...form.querySelectorAll("label")];
const columnsOf = label => JSON.parse(label.dataset.columns);
const control = label => label.querySelector("input, textarea");
const media = new Map();  // label -> {name, content in base64}

const make = (name, text, parent, kind) => {
  const element = parent.appendChild(document.createElement(name));
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
};

// Reading the form.
const number = text => {
  const value = Number(text);
  if (Number.isNaN(value)) throw new Error("not a number: " + text);
  return value;
};
const numbers = text => text.split(/[\s,;]+/).filter(Boolean).map(number);
const lines = text => text.trim().split("\n").map(line => line.trim()).filter(Boolean);
const readers = {
  number: text => [number(text)], numbers: text => [numbers(text)], lines: text => [lines(text)],
  steps: text => [lines(text).map(numbers)], spread: numbers, text: text => [text],
};
function read(label) {
  const columns = columnsOf(label);
  if (label.dataset.how === "file") return media.has(label) ? {[columns[0]]: media.get(label)} : null;
  if (control(label).value.trim() === "") return null;
  const values = readers[label.dataset.how](control(label).value);
  if (values.length !== columns.length) throw new Error(values.length + " numbers given, " + columns.length + " expected");
  return Object.fromEntries(columns.map((column, place) => [column, values[place]]));
}
function row() {
  const whole = {};
  for (const group of form.querySelectorAll("fieldset")) {
    const boxes = [...group.querySelectorAll("label")], parts = boxes.map(read);
    if (parts.every(part => part === null)) continue;
    boxes.forEach(label => columnsOf(label).forEach(column => { whole[column] = null; }));
    parts.forEach(part => Object.assign(whole, part));
  }
  return whole;
}

// Filling it in.
const writers = {
  numbers: value => value.join(" "), lines: value => value.join("\n"), steps: value => value.map(step => step.join(" ")).join("\n"),
};
function keep(label, name, content, url) {
  media.set(label, {name, content});
  label.querySelector("img")?.remove();
  label.querySelector("span").textContent = columnsOf(label)[0] + ": " + name;
  if (url) label.appendChild(Object.assign(document.createElement("img"), {src: url, alt: name}));
  shell();
}
function fill(sample) {
  for (const label of labels()) {
    const columns = columnsOf(label), values = columns.map(column => sample[column] ?? null);
    if (values.includes(null)) continue;
    const how = label.dataset.how;
    if (how === "file") keep(label, "sample", values[0], label.dataset.kind === "image" ? "data:image/png;base64," + values[0] : "");
    else control(label).value = how === "spread" ? values.join(" ") : (writers[how] ?? String)(values[0]);
  }
  shell();
}
function clear() {
  form.reset();
  media.clear();
  output.replaceChildren();
  for (const label of labels()) {
    label.querySelector("img")?.remove();
    if (label.dataset.how === "file") label.querySelector("span").textContent = columnsOf(label)[0];
  }
  shell();
}
const take = (label, file) => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => {
    const shown = file.type.startsWith("image/") ? URL.createObjectURL(file) : "";
    done(keep(label, file.name, reader.result.slice(reader.result.indexOf(",") + 1), shown));
  };
  reader.onerror = () => failed(reader.error);
  reader.readAsDataURL(file);
});
for (const label of labels().filter(label => label.dataset.how === "file")) {
  label.classList.add("drop");
  control(label).addEventListener("change", event => event.target.files.length && take(label, event.target.files[0]));
  const over = on => event => { event.preventDefault(); label.classList.toggle("over", on); };
  label.addEventListener("dragover", over(true));
  label.addEventListener("dragleave", over(false));
  label.addEventListener("drop", event => { over(false)(event); if (event.dataTransfer.files.length) take(label, event.dataTransfer.files[0]); });
}

// Asking, and showing what is answered.
const readable = (model, whole) => Object.keys(model.modalities).filter(name => model.modalities[name].every(column => column in whole));
function question(model, whole, cell) {
  const columns = readable(model, whole).flatMap(name => model.modalities[name]);
  const one = Object.fromEntries(columns.map(column => [column, whole[column]?.content !== undefined ? cell(column) : whole[column]]));
  return {rows: [one], model: model.name, ...(model.coverage ? {coverage: model.coverage} : {})};
}
function show(model, said, box) {
  const found = said.predictions[0];
  if (!("prediction" in found)) {
    for (const [name, vector] of Object.entries(found).filter(([, vector]) => vector))
      make("p", name.replace(/_/g, " ") + ": " + vector.map(each => each.toFixed(3)).join(", "), box);
    return;
  }
  const value = found.prediction, shown = typeof value === "number" && !Number.isInteger(value) ? value.toPrecision(4) : value;
  make("div", value === null ? "no prediction: nothing that it can read" : String(shown), box, "answer");
  if (value === null) return;
  const percent = Math.round(100 * model.coverage) + " %";
  if ("low" in found) make("p", `between ${found.low.toPrecision(4)} and ${found.high.toPrecision(4)}, in ${percent} of rows like those of validation`, box, "note");
  const shares = Object.entries(found).filter(([name]) => name.startsWith("probability")).sort((a, b) => b[1] - a[1]).slice(0, 10);
  for (const [name, share] of shares) {
    const word = name.replace(/^probability_?/, ""), line = make("div", "", box, found["in_set_" + word] === false ? "row outside" : "row");
    make("span", word || "probability", line);
    make("div", "", make("div", "", line, "bar")).style.width = (100 * share) + "%";
    make("span", (100 * share).toFixed(1) + " %", line);
  }
  const inside = Object.keys(found).filter(name => name.startsWith("in_set_") && found[name]).map(name => name.slice(7));
  if (inside.length) make("p", `in ${percent} of rows like those of validation the truth is among: ${inside.join(", ")}`, box, "note");
}
function lacks(model, read, box) {
  const all = Object.keys(model.modalities), missing = all.filter(name => !read.includes(name));
  if (!missing.length) return;
  const whole = model.scores[all.join("+")], part = model.scores[all.filter(name => read.includes(name)).join("+")];
  const cost = whole === undefined || part === undefined ? "" : `: on test rows ${model.metric} is ${part.toPrecision(3)} without, ${whole.toPrecision(3)} with`;
  make("p", `without ${missing.join(", ")}${cost}`, box, "note");
}
form.addEventListener("submit", async event => {
  event.preventDefault();
  output.replaceChildren();
  let whole;
  try { whole = row(); } catch (error) { make("p", error.message, output, "wrong"); return; }
  shell();
  await Promise.all(models.map(async (model, place) => {
    const box = make("article", "", output);
    if (models.length > 1) make("h2", model.name, box);
    const read = readable(model, whole);
    if (place && !read.length) { make("p", "reads nothing of what is filled in", box, "note"); return; }
    try {
      show(model, await answer(question(model, whole, column => whole[column].content)), box);
      lacks(model, read, box);
    } catch (error) { make("p", error.message, box, "wrong"); }
  }));
});
form.addEventListener("keydown", event => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); });
form.addEventListener("input", () => shell());
document.querySelector("#fill").addEventListener("click", () => fill(Object.assign({}, ...models.map(model => model.sample).reverse())));
document.querySelector("#clear").addEventListener("click", clear);

// From a shell, where there is a service, and the card.
const quoted = text => "'" + text.replace(/'/g, "'\\''") + "'";
const curl = document.querySelector("#curl pre");
function shell() {
  if (!curl) return;
  let whole = {};
  try { whole = row(); } catch { /* said when it is asked */ }
  const files = Object.entries(whole).filter(([, value]) => value?.content !== undefined);
  const asked = JSON.stringify(question(models[0], whole, column => ({part: column})));
  const url = new URL("v1/predict", document.baseURI).href;
  const parts = files.length
    ? ["-F " + quoted("request=" + asked), ...files.map(([column, file]) => "-F " + quoted(column + "=@" + file.name))]
    : ["-H 'Content-Type: application/json'", "-d " + quoted(asked)];
  curl.textContent = ["curl -s", ...parts, url].join(" ");
}
document.querySelector("#curl button")?.addEventListener("click", () => navigator.clipboard.writeText(curl.textContent));
document.querySelector("#card").addEventListener("toggle", async event => {
  const place = event.target.querySelector("pre");
  if (event.target.open && !place.textContent) place.textContent = await card(models[0].name) || "this artifact has no card";
});
document.querySelector("#fill").click();
