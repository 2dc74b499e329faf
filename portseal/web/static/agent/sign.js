// @ts-check
/** Signs documents with the key agent, several with one PIN, and offers what became of them. */

import { PortSealAgent } from "/agent/portseal-agent.js";
import { SigningJob, usualFormat } from "/agent/portseal-signing.js";
import "/agent/portseal-progress.js";
import { Rows, sizeOf } from "./sign-rows.js";
import { zipOfSigned } from "./signed-files.js";

/** @typedef {import("/agent/portseal-signing.js").JobItem} JobItem */
/** @typedef {import("/agent/portseal-signing.js").NamedDocument} NamedDocument */

const MOST = 1000;

/** @param {string} id */
const element = (id) => /** @type {any} */ (document.getElementById(id));
const form = element("sign-form");
const progress = element("agent-progress");
const button = element("agent-sign");
const says = element("sign-says");
const all = element("save-all");
const rows = new Rows(element("items"), element("item-row"), form.dataset.container, remove);

/** @type {NamedDocument[]} */
let documents = [];
let job = made();
/** Whether the person has seen what is refused: pressed again, the button signs the others. */
let asked = false;

function made() {
  return new SigningJob(PortSealAgent.of(progress), {
    level: form.elements.level.value,
    card: form.dataset.card,
    progress: progress.step,
    changed: (item) => rows.update(item),
  });
}

/** The job for what is chosen now. What was prepared for the one before is given up. */
function begin() {
  job.abandon();
  job = made();
  asked = false;
  const { value } = form.elements.format;
  if (value === "ASiC-E" && documents.length > 0) job.add(documents, value);
  else for (const each of documents) job.add([each], value || usualFormat(each.document));
  rows.show(job.items);
  progress.reset();
  say();
  summarise();
  settle();
}

/** @param {FileList | File[]} files */
async function choose(files) {
  if (documents.length + files.length > MOST) {
    say("warn", "many", { most: MOST });
    return;
  }
  const read = [...files].map(async (file) => ({
    name: file.name, document: new Uint8Array(await file.arrayBuffer()),
  }));
  documents = [...documents, ...(await Promise.all(read))];
  begin();
}

/** @param {JobItem} item */
function remove(item) {
  documents = documents.filter((each) => !item.documents.includes(each));
  begin();
}

async function sign() {
  busy(true);
  say();
  try {
    await job.complete(); // what the card signed before
    // What the service has no room for is chosen still, and has its turn after the others.
    for (let more = true; more && (await prepared()); ) {
      await job.sign();
      await job.complete();
      more = job.in("chosen").length > 0 && job.in("failed", "refused").length === 0;
    }
  } catch (error) {
    progress.fail(error);
  }
  summarise();
  settle();
  busy(false);
}

/** Whether to go on: not before the person has seen what is refused. */
async function prepared() {
  await job.prepare({ again: !asked });
  const refused = job.in("refused").length;
  const count = job.in("prepared").length;
  if (refused === 0 || (asked && count > 0)) return count > 0;
  asked = count > 0;
  progress.reset();
  say("bad", asked ? "question" : "none", { refused, count });
  says.focus();
  return false;
}

/** What can be done now. */
function settle() {
  const [left, ready, done] = [
    job.in("failed", "signed").length, job.in("prepared").length, job.in("done"),
  ];
  const refused = job.in("refused").length;
  const open = job.items.length - done.length;
  const others = asked && ready > 0 && refused > 0;
  const words = left > 0 || done.length > 0 ? "again" : others ? "others" : "sign";
  button.textContent = filled(form.dataset[`press${capital(words)}`], { count: ready });
  button.disabled = open === 0;
  button.hidden = open === 0 && done.length > 0;
  element("chosen-part").hidden = job.items.length === 0;
  element("anew").hidden = !begun();
  if (left > 0) say("warn", "failed", { failed: left });
  else if (done.length > 0 && open === 0) say("good", "done", { count: done.length });
  else if (done.length > 0 && open === refused) say("warn", "some", { count: done.length, refused });
  offer(done);
}

/** @param {JobItem[]} done */
function offer(done) {
  if (all.href) URL.revokeObjectURL(all.href);
  all.hidden = done.length < 2;
  if (all.hidden) return;
  const { container, list, headings, zip } = form.dataset;
  const words = { list, headings: headings.split("|") };
  all.href = URL.createObjectURL(zipOfSigned(done, container, words));
  all.download = zip;
}

/** How many of which kind. */
function summarise() {
  /** @type {Map<string, number>} */
  const kinds = new Map();
  for (const item of job.items) {
    const kind = rows.kindOf(item);
    if (kind) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const told = [...kinds].map(([kind, count]) => `${kind} × ${count}`);
  const count = filled(form.dataset.saysCount, {
    count: documents.length, size: sizeOf(job.items),
  });
  element("chosen-summary").textContent = [count, ...told].join(" · ");
}

/**
 * @param {"good" | "warn" | "bad"} [tone]
 * @param {string} [name]
 * @param {Record<string, number>} [facts]
 */
function say(tone, name = "", facts = {}) {
  says.hidden = tone === undefined;
  says.className = `notice ${tone}`;
  says.textContent = tone === undefined ? "" : filled(form.dataset[`says${capital(name)}`], facts);
}

function begun() {
  return job.in("signed", "failed", "done").length > 0;
}

/**
 * What is signed stays until the person starts anew.
 * @param {boolean} now
 */
function busy(now) {
  const kept = begun();
  for (const each of form.elements) {
    if (each !== button) each.disabled = now || (kept && each.id !== "anew");
  }
  button.disabled = now || button.hidden;
}

/** @param {string} text @param {Record<string, any>} facts */
function filled(text, facts) {
  return text.replace(/\{(\w+)\}/g, (_, name) => facts[name]);
}

/** @param {string} word */
function capital(word) {
  return word[0].toUpperCase() + word.slice(1);
}

form.elements.documents.addEventListener("change", async () => {
  const input = form.elements.documents;
  await choose([...input.files]);
  input.value = ""; // the same file can be chosen again
});
form.elements.format.addEventListener("change", begin);
form.elements.level.addEventListener("change", begin);
element("anew").addEventListener("click", () => {
  documents = [];
  begin();
  busy(false);
  form.elements.documents.focus();
});
form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  sign();
});
form.addEventListener("dragover", (/** @type {DragEvent} */ event) => {
  event.preventDefault();
  form.classList.add("dropping");
});
form.addEventListener("dragleave", () => form.classList.remove("dropping"));
form.addEventListener("drop", (/** @type {DragEvent} */ event) => {
  event.preventDefault();
  form.classList.remove("dropping");
  if (event.dataTransfer && !form.elements.documents.disabled) choose(event.dataTransfer.files);
});
window.addEventListener("pagehide", () => job.abandon());
