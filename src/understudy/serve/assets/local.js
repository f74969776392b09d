// Asking the artifact that lies beside this page; it stands where a service's page has its `ask.js`.
import {open} from "./student.js";

const folder = new URL("../artifact/", import.meta.url);
const student = open(folder);
student.catch(() => {});  // said when it is asked

export const answer = async question => ({predictions: await (await student).predict(question.rows, question)});

export const card = async () => (await fetch(new URL("card.md", folder))).text();
