// @ts-check
/** The cards that are plugged in and can sign in now, as far as this site sees them. */

/** @typedef {import("/agent/portseal-agent.js").PortSealAgent} PortSealAgent */
/** @typedef {import("/agent/portseal-agent.js").Certificate} Certificate */

/**
 * @typedef {Object} Plugged
 * @property {Certificate[]} certificates the newest first: a renewed card leaves its predecessor on
 *   the USB key
 * @property {Certificate | null} only the newest certificate, where all are on one USB key
 * @property {boolean} more whether there is a USB key in use of which this site sees no card
 */

/**
 * @param {PortSealAgent} agent
 * @returns {Promise<Plugged>}
 */
export async function pluggedCards(agent) {
  const { tokens } = await agent.tokens();
  const held = tokens.map((token) => token.certificates.filter(canSignIn).sort(byAge));
  const certificates = held.flat().sort(byAge);
  const one = held.filter((each) => each.length > 0).length === 1;
  const more = tokens.some((each) => each.state !== "blank" && each.certificates.length === 0);
  return { certificates, only: one ? certificates[0] : null, more };
}

/** @param {Certificate} certificate */
function canSignIn({ hasKey, usage, notBefore, notAfter }) {
  const now = new Date();
  const isValid = new Date(notBefore) <= now && now < new Date(notAfter);
  return hasKey && usage.includes("signing") && isValid;
}

/**
 * As the agent orders them: of two that begin together, later keys have the higher number.
 * @param {Certificate} one @param {Certificate} other
 */
function byAge(one, other) {
  return other.notBefore.localeCompare(one.notBefore) || numberOf(other) - numberOf(one);
}

/** @param {Certificate} certificate */
function numberOf({ key }) {
  return Number(/-(\d+)$/.exec(key ?? "")?.[1] ?? 1);
}
