// @ts-check
/** Which card, when several are plugged in: a list that shows itself when it is needed. */

import { cardOf } from "./cards.js";

/** @typedef {import("/agent/portseal-agent.js").Certificate} Certificate */

/**
 * @param {HTMLElement} list within a fieldset; holds the words of `cards.js`
 * @param {Certificate[]} certificates the first one is chosen to begin with
 */
export function offer(list, certificates) {
  list.replaceChildren(...certificates.map((each, place) => row(each, place, list)));
  /** @type {HTMLElement} */ (list.closest("[data-choice]")).hidden = false;
  list.querySelector("input")?.focus();
}

/** @param {HTMLElement} list of which nothing is left to choose */
export function withdraw(list) {
  list.replaceChildren();
  /** @type {HTMLElement} */ (list.closest("[data-choice]")).hidden = true;
}

/** @param {Certificate} certificate @param {number} place @param {HTMLElement} words */
function row(certificate, place, words) {
  const { holder, details, until } = cardOf(certificate, words);
  const button = Object.assign(document.createElement("input"), {
    type: "radio", name: "card", value: certificate.id, checked: place === 0,
  });
  const whose = Object.assign(document.createElement("strong"), { textContent: holder });
  const label = document.createElement("label");
  label.append(button, whose, ` · ${[details, until].filter(Boolean).join(" · ")}`);
  return label;
}

/** @param {HTMLElement} list @returns {string | undefined} the chosen certificate's id */
export function chosen(list) {
  return /** @type {HTMLInputElement | null} */ (list.querySelector("input:checked"))?.value;
}
