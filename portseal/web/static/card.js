// @ts-check
/**
 * Buttons that make or renew a card, or bring to it what was made for it meanwhile, through the key
 * agent. Without the agent, or without scripts, the same is done with the commands beside them.
 */

import { AgentError, PortSealAgent } from "/agent/portseal-agent.js";
import { callService, enrolCard, fetchEncryptionKey, pemToBase64 } from "/agent/portseal-journeys.js";
import "/agent/portseal-progress.js";

/** @typedef {import("/agent/portseal-agent.js").Token} Token */

/** The first agent that vouches for a new key. */
const RENEWS_SINCE = "1.2.0";

/**
 * The USB key for a new card: the one that was chosen, the only one without a card of ours (as an
 * interruption leaves it), or a blank one, which is given its PIN first.
 * @param {PortSealAgent} agent
 * @param {HTMLElement} section
 */
async function tokenForNewCard(agent, section) {
  const { tokens } = await agent.tokens();
  const free = tokens.filter((each) => each.certificates.length === 0 && each.state !== "locked");
  const begun = free.filter((each) => each.state !== "blank");
  const token = chosenOf(begun.length > 0 ? begun : free, section);
  if (token.state !== "blank") return token.id;
  const label = section.dataset.card || `PortSeal ${crypto.randomUUID().slice(0, 4)}`;
  const made = await agent.initialise({ token: token.id, label });
  return made.token.id;
}

/** The activation code: shown by the page, or typed there, whole or in the parts that arrived. */
function typedCode() {
  const places = document.querySelectorAll("#activation-code, [data-code-part]");
  return [...places].map(typedAt).join("-");
}

/** @param {Element} place */
function typedAt(place) {
  const code = place instanceof HTMLInputElement ? place.value : (place.textContent ?? "");
  if (code.trim()) return code.trim();
  if (!(place instanceof HTMLInputElement)) throw new Error("the page shows no code");
  place.focus();
  throw new AgentError("refused", "enrolment.code", place.dataset.missing ?? "");
}

/**
 * @param {Token[]} tokens
 * @param {HTMLElement} section
 * @returns {Token}
 */
function chosenOf(tokens, section) {
  const select = /** @type {HTMLSelectElement} */ (section.querySelector("select"));
  const chosen = tokens.find((each) => each.id === select.value);
  if (chosen) return chosen;
  if (tokens.length === 0) {
    throw new AgentError("no-token", "token.none", "no such USB key is plugged in");
  }
  if (tokens.length === 1) return tokens[0];
  select.replaceChildren(
    ...tokens.map((each) => new Option(`${each.label || each.model} ${each.serial}`, each.id)),
  );
  /** @type {HTMLElement} */ (select.closest("[data-choice]")).hidden = false;
  throw new AgentError("refused", "token.several", section.dataset.several ?? "");
}

/**
 * A certificate of this card, for signing, with its token; the newest that is there.
 * @param {PortSealAgent} agent
 * @param {HTMLElement} section
 * @param {(step: string) => void} progress
 */
async function ownCertificate(agent, section, progress) {
  progress("agent");
  await agent.ready();
  progress("token");
  const { tokens } = await agent.tokens();
  const own = (section.dataset.certificate ?? "").split(" ");
  const found = tokens
    .flatMap((token) => token.certificates.map((each) => ({ token: token.id, ...each })))
    .filter((each) => own.includes(each.id) && each.hasKey)
    .sort((one, other) => own.indexOf(one.id) - own.indexOf(other.id));
  if (found.length > 0) return found[0];
  throw new AgentError("no-certificate", "card.no-certificate", "not this USB key");
}

/**
 * A token that is in use already: of the card whose page it is, or the one that was chosen.
 * @param {PortSealAgent} agent
 * @param {HTMLElement} section
 * @param {(step: string) => void} progress
 */
async function tokenInUse(agent, section, progress) {
  if (section.dataset.certificate) return (await ownCertificate(agent, section, progress)).token;
  progress("agent");
  await agent.ready();
  progress("token");
  const { tokens } = await agent.tokens();
  return chosenOf(tokens.filter((each) => each.state !== "blank"), section).id;
}

/** @type {Record<string, (agent: PortSealAgent, section: HTMLElement, step: any) => Promise<any>>} */
const acts = {
  async enrol(agent, section, progress) {
    const activationCode = typedCode();
    progress("agent");
    await agent.ready();
    progress("token");
    const token = await tokenForNewCard(agent, section);
    return enrolCard(agent, { activationCode, token, progress });
  },

  /** After an interruption: the certificate was made, and is not on the USB key yet. */
  async write(agent, section, progress) {
    progress("agent");
    await agent.ready();
    progress("token");
    const { tokens } = await agent.tokens();
    progress("certificate");
    for (const { id: token } of tokens.filter((each) => each.state === "ready")) {
      try {
        await agent.writeCertificates({ token, certificates: [section.dataset.newest ?? ""] });
        progress("done");
        return;
      } catch (error) {
        if (!(error instanceof AgentError) || error.code !== "card.other-key") throw error;
      }
    }
    throw new AgentError("no-token", "card.other-key", "the card's key is on no USB key here");
  },

  async renew(agent, section, progress) {
    agent.minimumVersion = RENEWS_SINCE;
    const old = await ownCertificate(agent, section, progress);
    progress("key");
    const { pkcs10, key } = await agent.makeKey({ token: old.token, purpose: "rekey" });
    progress("request");
    const begun = await callService(`/api/v1/cards/${section.dataset.card}/renewals`, { pkcs10 });
    progress("pin");
    const what = { certificate: old.id, key, challenge: begun.challenge };
    const { signature } = await agent.signRenewal(what);
    progress("answer");
    const made = await callService(`/api/v1/renewals/${begun.id}`, { signature });
    progress("certificate");
    const certificates = [pemToBase64(made.certificate)];
    await agent.writeCertificates({ token: old.token, certificates });
    progress("done", made);
    return made;
  },

  async pin(agent, section, progress) {
    const token = await tokenInUse(agent, section, progress);
    progress("new-pin");
    await agent.changePin({ token });
    progress("done");
  },

  async fetch(agent, section, progress) {
    const { token } = await ownCertificate(agent, section, progress);
    progress("certificate");
    await agent.writeCertificates({ token, certificates: [section.dataset.newest ?? ""] });
    progress("done");
  },

  async encryption(agent, section, progress) {
    const { token, ...certificate } = await ownCertificate(agent, section, progress);
    return fetchEncryptionKey(agent, { token, certificate, progress });
  },
};

for (const section of /** @type {NodeListOf<HTMLElement>} */ (
  document.querySelectorAll("[data-agent-act]")
)) {
  const shown = /** @type {any} */ (section.querySelector("portseal-progress"));
  const button = /** @type {HTMLButtonElement} */ (section.querySelector("button"));
  section.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    shown.reset();
    try {
      await acts[section.dataset.agentAct ?? ""](PortSealAgent.of(shown), section, shown.step);
      /** @type {HTMLElement} */ (section.querySelector("[data-after]")).hidden = false;
      button.hidden = true;
    } catch (error) {
      shown.fail(error);
      button.disabled = false;
    }
  });
}
