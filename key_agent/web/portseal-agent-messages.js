// @ts-check
/**
 * What goes to the key agent and comes from it, as pages have it and as the agent has it.
 *
 * @typedef {Object} Certificate
 * @property {string} id SHA-256 of the DER, hex
 * @property {string} der base64
 * @property {string} subject
 * @property {string} issuer
 * @property {string} serial hex
 * @property {string} notBefore RFC 3339
 * @property {string} notAfter RFC 3339
 * @property {("signing" | "encryption")[]} usage
 * @property {string} key label of the key beside it
 * @property {boolean} hasKey
 *
 * @typedef {Object} Token
 * @property {string} id
 * @property {string} label
 * @property {string} manufacturer
 * @property {string} model
 * @property {string} serial
 * @property {"ready" | "blank" | "locked" | "no-pin"} state
 * @property {"all" | "few" | "one" | "none"} pinTries what PKCS#11 tells
 * @property {Certificate[]} certificates those that this origin may see
 *
 * @typedef {Object} ToSign
 * @property {string} document base64
 * @property {string} format CAdES, XAdES, PAdES, JAdES, ASiC-S or ASiC-E
 * @property {string} toBeSigned base64, from the service
 * @property {string} draft base64, from the service
 * @property {string} [name] the file's name, for the person to recognise
 * @property {"first" | "counter"} [act] counter: upon the signature over the document in the draft
 * @property {{document: string, name?: string}[]} [beside] more documents under the same signature,
 *   in the order in which the container has them; agents since 1.3.0
 *
 * @typedef {Object} Confirmation
 * @property {string} platform name of the platform that asks
 * @property {string[]} acts one line each
 */

/** @param {ToSign} item */
export function asItem({ document, format, toBeSigned, draft, name, act, beside }) {
  const item = { document, format, to_be_signed: toBeSigned, draft, name: name ?? null };
  const more = beside === undefined ? {} : { beside: beside.map(named) };
  return act === undefined ? { ...item, ...more } : { ...item, ...more, act };
}

/**
 * @template {{name?: string}} T
 * @param {T} body
 */
export function named(body) {
  return { ...body, name: body.name ?? null };
}

/** @param {any} told @returns {Certificate} */
export function asCertificate(told) {
  const { not_before, not_after, has_key, ...same } = told;
  return { ...same, notBefore: not_before, notAfter: not_after, hasKey: has_key };
}

/** @param {any} told @returns {Token} */
export function asToken(told) {
  const { pin_tries, certificates, ...same } = told;
  return { ...same, pinTries: pin_tries, certificates: certificates.map(asCertificate) };
}
