// @ts-check
/**
 * Cards as people tell them apart: whose, of which kind and number, of which enterprise.
 *
 * Words are data attributes of an element: `data-card-lp`, `data-card-op` and `data-card-of` name the
 * kinds by the beginning of the card's number, `data-card-until` says until when, with `{date}`.
 */

/** @typedef {import("/agent/portseal-agent.js").Certificate} Certificate */

/** An octet or a character as RFC 4514, 2.4 escapes it. */
const ESCAPED = /\\(?:([0-9A-Fa-f]{2})|(.))/gs;

/**
 * The attributes of a name in RFC 4514's form; of several of one type the first one counts.
 * @param {string} subject
 * @returns {Record<string, string>}
 */
export function attributes(subject) {
  /** @type {Record<string, string>} */
  const found = {};
  for (const part of subject.match(/(?:\\.|[^,+\\])+/gs) ?? []) {
    const at = part.indexOf("=");
    if (at > 0) found[part.slice(0, at).trim()] ??= unescaped(part.slice(at + 1));
  }
  return found;
}

/** @param {string} value */
function unescaped(value) {
  const encoded = value.replaceAll("%", "%25");
  try {
    return decodeURIComponent(
      encoded.replace(ESCAPED, (_, octet, character) => (octet ? `%${octet}` : character)),
    );
  } catch {
    return value; // octets that are no UTF-8
  }
}

/**
 * @typedef {Object} Card
 * @property {string} holder
 * @property {string} details kind and number of the card, and the enterprise
 * @property {string} until
 */

/**
 * @param {Certificate} certificate
 * @param {HTMLElement} words
 * @returns {Card}
 */
export function cardOf({ subject, notAfter }, words) {
  const { CN, O, serialNumber } = attributes(subject);
  const kind = words.getAttribute(`data-card-${(serialNumber ?? "").slice(0, 2).toLowerCase()}`);
  const details = [[kind, serialNumber].filter(Boolean).join(" "), O === CN ? "" : O];
  const language = document.documentElement.lang;
  const date = new Date(notAfter).toLocaleDateString(language, { dateStyle: "medium" });
  return {
    holder: CN ?? subject,
    details: details.filter(Boolean).join(" · "),
    until: (words.getAttribute("data-card-until") ?? "{date}").replace("{date}", date),
  };
}
