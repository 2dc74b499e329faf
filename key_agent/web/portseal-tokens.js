// @ts-check
/**
 * Which of the USB keys that are plugged in, and which certificate on it.
 *
 * @typedef {import("./portseal-agent.js").PortSealAgent} PortSealAgent
 * @typedef {import("./portseal-agent.js").Token} Token
 * @typedef {import("./portseal-agent.js").Certificate} Certificate
 */

import { AgentError } from "./portseal-agent.js";

/**
 * @param {PortSealAgent} agent
 * @param {string | undefined} identifier
 * @param {AbortSignal} [signal]
 * @returns {Promise<Token>}
 */
export async function tokenToEnrol(agent, identifier, signal) {
  const { tokens } = await agent.tokens({ signal });
  if (identifier !== undefined) {
    const named = tokens.find((each) => each.id === identifier);
    if (named) return named;
    throw new AgentError("no-token", "token.missing", "this USB key is not plugged in");
  }
  const ready = tokens.filter((each) => each.state === "ready" && each.certificates.length === 0);
  return only(ready.length > 0 ? ready : tokens.filter((each) => each.state === "blank"));
}

/**
 * The one token that is plugged in and initialised.
 * @param {PortSealAgent} agent
 * @param {AbortSignal} [signal]
 * @returns {Promise<Token>}
 */
export async function onlyToken(agent, signal) {
  const { tokens } = await agent.tokens({ signal });
  return only(tokens.filter((each) => each.state !== "blank"));
}

/**
 * @param {Token[]} tokens
 * @returns {Token}
 */
function only(tokens) {
  if (tokens.length === 0) {
    throw new AgentError("no-token", "token.none", "no USB key is plugged in");
  }
  if (tokens.length > 1) {
    const facts = { tokens: tokens.map(({ id, label, serial }) => ({ id, label, serial })) };
    throw new AgentError("refused", "token.several", "several USB keys are plugged in", facts);
  }
  return tokens[0];
}

/**
 * The newest certificate for signing that has its key beside it.
 * @param {PortSealAgent} agent
 * @param {AbortSignal} [signal]
 * @param {string} [card] number of the card that it must be of
 * @returns {Promise<Certificate>}
 */
export async function signingCertificate(agent, signal, card) {
  const { tokens } = await agent.tokens({ signal });
  if (tokens.length === 0) {
    throw new AgentError("no-token", "token.none", "no USB key is plugged in");
  }
  const fitting = tokens
    .flatMap((token) => token.certificates)
    .filter((each) => each.hasKey && each.usage.includes("signing"))
    .filter((each) => !card || each.subject.includes(card))
    .sort((one, other) => other.notBefore.localeCompare(one.notBefore));
  if (fitting.length === 0) {
    throw new AgentError("no-certificate", "card.no-certificate", "no certificate for signing");
  }
  return fitting[0];
}
