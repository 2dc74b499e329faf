// @ts-check
/** Signs documents with the key agent and shows what became of them. */

import { PortSealAgent } from "/agent/portseal-agent.js";
import { signDeclarations } from "/agent/portseal-journeys.js";
import "/agent/portseal-progress.js";

/** @param {string} id */
const element = (id) => /** @type {any} */ (document.getElementById(id));
const form = element("sign-form");
const progress = element("agent-progress");
const button = element("agent-sign");
const results = element("signed");
/** @type {Record<string, string>} */
const SUFFIXES = {
  CAdES: ".p7s", XAdES: ".xades.xml", PAdES: ".signed.pdf", JAdES: ".jades.json", "ASiC-S": ".asics",
};

async function sign() {
  button.disabled = true;
  try {
    const files = [...form.elements.documents.files];
    const documents = await Promise.all(
      files.map(async (file) => ({
        name: file.name, document: new Uint8Array(await file.arrayBuffer()),
      })),
    );
    const format = form.elements.format.value;
    const receipts = await signDeclarations(PortSealAgent.of(progress), {
      documents, format, level: form.elements.level.value, card: form.dataset.card,
      progress: progress.step,
    });
    receipts.forEach((receipt, number) => show(files[number].name, format, receipt));
  } catch (error) {
    progress.fail(error);
  }
  button.disabled = false;
}

/**
 * @param {string} name
 * @param {string} format
 * @param {Record<string, any>} receipt
 */
function show(name, format, receipt) {
  const item = /** @type {any} */ (element("signed-item").content.cloneNode(true));
  item.querySelector("[data-name]").textContent = name;
  item.querySelector("[data-indication]").textContent = receipt.indication;
  const octets = Uint8Array.from(atob(receipt.signature), (each) => each.charCodeAt(0));
  const file = item.querySelector("[data-file]");
  file.href = URL.createObjectURL(new Blob([octets]));
  file.download = name + (SUFFIXES[format] ?? ".signed");
  item.querySelector("[data-report]").href = `/verify/signatures/${receipt.id}`;
  results.append(item);
  element("signed-part").hidden = false;
}

form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  sign();
});
