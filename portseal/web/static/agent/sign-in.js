// @ts-check
/** Signs in with the key agent; the page works without this too, with a command. */

import { AgentError, PortSealAgent } from "/agent/portseal-agent.js";
import { ServiceError, callService, openSession } from "/agent/portseal-journeys.js";
import "/agent/portseal-progress.js";
import { chosen, offer } from "./choice.js";

/** @param {string} id */
const element = (id) => /** @type {any} */ (document.getElementById(id));
const progress = element("agent-progress");
const button = element("agent-sign-in");
const list = element("agent-card");
const form = element("sign-in-form");
const agent = PortSealAgent.of(progress);
/** What a platform has confirmed with the card; the service knows it, too. */
const confirm = form.dataset.confirm ? JSON.parse(form.dataset.confirm) : null;

async function signIn() {
  button.disabled = true;
  try {
    progress.step("agent");
    await agent.ready();
    element("by-command").open = false; // the agent answers: the other way is not needed
    progress.step("pin");
    const { nonce, next } = form.elements;
    const asked = { nonce: nonce.value, certificate: chosen(list) ?? null, confirm };
    const proof = await agent.signIn(asked);
    progress.step("answer");
    await openSession(agent, { ...proof, nonce: nonce.value });
    location.assign(next.value);
  } catch (error) {
    button.disabled = false;
    if (error instanceof AgentError && error.code === "certificate.several") {
      await offerCards();
      progress.step("choose"); // a choice is no failure
      return;
    }
    progress.fail(error);
    if (error instanceof ServiceError && error.status > 0) await renewChallenge();
  }
}

/** A challenge is good once, whatever became of it; the command names it, too. */
async function renewChallenge() {
  const { nonce, next } = form.elements;
  const made = await callService("/api/v1/sign-in/challenges", { next: next.value });
  const command = element("command");
  command.textContent = command.textContent.replace(nonce.value, made.nonce);
  nonce.value = made.nonce;
}

async function offerCards() {
  const { tokens } = await agent.tokens();
  const usable = tokens
    .flatMap((token) => token.certificates)
    .filter((each) => each.hasKey && each.usage.includes("signing"));
  // A renewed card leaves its predecessor on the USB key: the newest stands first.
  usable.sort((one, other) => other.notBefore.localeCompare(one.notBefore));
  offer(list, usable);
}

/** Says how things stand before anything is asked for, where that costs the user nothing. */
async function look() {
  if (await PortSealAgent.wouldAskUser()) return;
  const { state, error } = await agent.status();
  progress.dataset.agentState = state;
  if (state === "ready") element("by-command").open = false;
  else if (state !== "origin-unknown") progress.fail(error);
}

element("by-agent").hidden = false;
button.addEventListener("click", signIn);
progress.addEventListener("portseal-card-shown", signIn);
look();
