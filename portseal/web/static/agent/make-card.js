// @ts-check
/** Makes the card with the key agent: key, request, certificate. */

import { PortSealAgent } from "/agent/portseal-agent.js";
import { enrolCard } from "/agent/portseal-journeys.js";
import "/agent/portseal-progress.js";
import { chosen, offer } from "./choice.js";

const element = (id) => /** @type {any} */ (document.getElementById(id));
const progress = element("agent-progress");
const button = element("agent-make-card");
const list = element("agent-token");

async function makeCard() {
  button.disabled = true;
  try {
    await enrolCard(PortSealAgent.of(progress), {
      activationCode: element("activation-code").textContent.trim(),
      label: button.dataset.label,
      token: chosen(list),
      progress: progress.step,
    });
    element("card-made").hidden = false;
    button.remove();
  } catch (error) {
    button.disabled = false;
    if (error.code === "token.several") {
      offer(list, error.facts.tokens.map(({ id, label, serial }) => ({
        id, label: `${label} ${serial}`.trim() || id.slice(0, 8),
      })));
    }
    progress.fail(error);
  }
}

element("by-agent").hidden = false;
button.addEventListener("click", makeCard);
