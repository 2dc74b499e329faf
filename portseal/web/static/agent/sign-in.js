// @ts-check
/** Signs in with the key agent; the page works without this too, with a command. */

import { AgentError, PortSealAgent } from "/agent/portseal-agent.js";
import { ServiceError, callService, openSession } from "/agent/portseal-journeys.js";
import "/agent/portseal-progress.js";
import { cardOf } from "./cards.js";
import { chosen, offer, withdraw } from "./choice.js";
import { pluggedCards } from "./plugged.js";

/** @param {string} id */
const element = (id) => /** @type {any} */ (document.getElementById(id));
const progress = element("agent-progress");
const button = element("agent-sign-in");
const list = element("agent-card");
const form = element("sign-in-form");
const used = element("card-used");
const another = element("other-card");
const agent = PortSealAgent.of(progress);
/** @type {string | null} the certificate whose card the page has named as the one to be used */
let named = null;
/** What a platform has confirmed with the card; the service knows it, too. */
const confirm = form.dataset.confirm ? JSON.parse(form.dataset.confirm) : null;

async function signIn() {
  button.disabled = true;
  try {
    progress.step("agent");
    await agent.ready();
    element("by-command").open = false; // the agent answers: the other way is not needed
    const before = named;
    const { only, more } = await seen();
    if (only !== null && only.id !== before && (before !== null || more)) {
      button.disabled = false;
      progress.step("named"); // another one than the page has named, or one of several
      return;
    }
    progress.step("pin");
    const { nonce, next } = form.elements;
    const certificate = chosen(list) ?? only?.id ?? null;
    const asked = { nonce: nonce.value, certificate, confirm };
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
  const { certificates } = await pluggedCards(agent);
  offer(list, certificates);
}

/** What is plugged in, which the page tells: the one card that will be used, or how to get to see
 * another. */
async function seen() {
  const plugged = await pluggedCards(agent);
  const { only, more } = plugged;
  if (only !== null) {
    withdraw(list);
    const { holder, details, until } = cardOf(only, list);
    used.querySelector("[data-holder]").textContent = holder;
    used.querySelector("[data-details]").textContent = [details, until].filter(Boolean).join(" · ");
  }
  used.hidden = only === null;
  another.hidden = only === null || !more;
  named = only?.id ?? null;
  return plugged;
}

/** Says how things stand before anything is asked for, where that costs the user nothing. */
async function look() {
  if (await PortSealAgent.wouldAskUser()) return;
  const { state, error } = await agent.status();
  progress.dataset.agentState = state;
  if (state === "ready") {
    element("by-command").open = false;
    await seen().catch(() => null); // what is amiss is told when the button is pressed
  } else if (state !== "origin-unknown") progress.fail(error);
}

element("by-agent").hidden = false;
button.addEventListener("click", signIn);
another.addEventListener("click", progress.showCard);
progress.addEventListener("portseal-card-shown", signIn);
look();
