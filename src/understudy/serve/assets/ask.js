// Asking the service that this page comes from.
export async function answer(question) {
  const body = JSON.stringify(question);
  const response = await fetch("v1/predict", {method: "POST", headers: {"Content-Type": "application/json"}, body});
  const found = await response.json();
  if (!response.ok) throw new Error(found.detail);
  return found;
}

export const card = async name => (await (await fetch("v1/models/" + encodeURIComponent(name))).json()).card;
