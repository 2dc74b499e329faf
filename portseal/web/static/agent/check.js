// @ts-check
/** Checks the computer: agent, this site's permission, USB key, certificate. */

import { AgentError, PortSealAgent, isOlder } from "/agent/portseal-agent.js";
import "/agent/portseal-progress.js";
import { cardOf } from "./cards.js";

/** @typedef {import("/agent/portseal-agent.js").Token} Token */
/** @typedef {import("/agent/portseal-agent.js").Certificate} Certificate */

const part = /** @type {HTMLElement} */ (document.getElementById("check-part"));
const button = /** @type {HTMLButtonElement} */ (document.getElementById("check"));
const another = /** @type {HTMLButtonElement} */ (document.getElementById("show-card"));
const progress = /** @type {any} */ (document.getElementById("agent-progress"));
const agent = PortSealAgent.of(progress);

/**
 * @param {string} name of the row
 * @param {"open" | "good" | "bad"} state
 * @param {string[]} [found] a line each
 */
function tell(name, state, found = []) {
  const row = /** @type {HTMLElement} */ (part.querySelector(`[data-check=${name}]`));
  const badge = /** @type {HTMLElement} */ (row.querySelector(".badge"));
  badge.textContent = words(`word-${state}`);
  badge.className = `badge ${state === "open" ? "" : state}`;
  const cell = /** @type {HTMLElement} */ (row.querySelector("[data-found]"));
  cell.replaceChildren(
    ...found.map((line) => Object.assign(document.createElement("div"), { textContent: line })),
  );
}

/** @param {string} name @param {Record<string, string>} [facts] */
function words(name, facts = {}) {
  const text = part.getAttribute(`data-${name}`) ?? "";
  return text.replace(/\{(\w+)\}/g, (_, fact) => facts[fact]);
}

/** @param {boolean} asks whether the person is there to be asked */
async function check(asks) {
  for (const name of ["agent", "site", "token", "certificate"]) tell(name, "open");
  another.hidden = true;
  progress.reset();
  let name = "agent";
  try {
    const { state, version, error } = await agent.status();
    if (error && !["origin-unknown", "origin-refused"].includes(state)) throw error;
    const newest = part.dataset.newest ?? "";
    const older = newest !== "" && isOlder(String(version), newest);
    const facts = { version: String(version), newest };
    tell("agent", "good", [words(older ? "says-newer" : "says-version", facts)]);
    name = "site";
    if (state === "origin-unknown" && asks) await agent.connect();
    else if (error) throw error;
    tell("site", "good", [words("says-allowed")]);
    another.hidden = false;
    name = "token";
    const { tokens } = await agent.tokens();
    if (tokens.length === 0) throw new AgentError("no-token", "token.none", "no USB key");
    tell("token", tokens.some(usable) ? "good" : "bad", tokens.map(ofToken));
    name = "certificate";
    const held = tokens.flatMap((token) => token.certificates).filter((each) => each.hasKey);
    if (held.length === 0) {
      throw new AgentError("no-certificate", "card.no-certificate", "no certificate");
    }
    tell("certificate", held.some(isValid) ? "good" : "bad", held.map(ofCertificate));
  } catch (error) {
    tell(name, "bad");
    progress.fail(error);
  }
}

/** @param {Token} token */
function usable({ state }) {
  return state === "ready" || state === "blank";
}

/** @param {Token} token */
function ofToken({ label, model, serial, state, pinTries }) {
  const told = [words(`token-${state}`), state === "ready" ? words(`tries-${pinTries}`) : ""];
  return `${label || model} ${serial} · ${told.filter(Boolean).join(", ")}`;
}

/** @param {Certificate} certificate */
function isValid({ notAfter }) {
  return new Date(notAfter) > new Date();
}

/** @param {Certificate} certificate */
function ofCertificate(certificate) {
  const until = new Date(certificate.notAfter);
  const date = until.toLocaleDateString(document.documentElement.lang, { dateStyle: "long" });
  const { holder, details } = cardOf(certificate, part);
  const facts = { subject: [holder, details].filter(Boolean).join(" · "), date };
  return words(isValid(certificate) ? "says-until" : "says-over", facts);
}

part.hidden = false;
button.addEventListener("click", async () => {
  button.disabled = true;
  await check(true);
  button.disabled = false;
});
another.addEventListener("click", progress.showCard);
progress.addEventListener("portseal-card-shown", () => check(false));
if (!(await PortSealAgent.wouldAskUser())) await check(false);
