// @ts-check
/**
 * Whole journeys: the key agent on one side, a PortSeal service's HTTP interface on the other.
 *
 * @typedef {"agent" | "token" | "challenge" | "pin" | "answer" | "initialise" | "key" | "request"
 *   | "certificate" | "prepare" | "show" | "complete" | "done"} Step
 * @typedef {(step: Step, facts?: Record<string, any>) => void} Progress
 * @typedef {import("./portseal-agent.js").PortSealAgent} PortSealAgent
 * @typedef {import("./portseal-agent.js").Token} Token
 * @typedef {import("./portseal-agent.js").Certificate} Certificate
 *
 * @typedef {Object} Options
 * @property {Progress} [progress] told each step when it begins
 * @property {AbortSignal} [signal]
 * @property {string} [service] the service's origin; the page's own when left out
 */

import { AgentError } from "./portseal-agent.js";

/** What the service refused, in its own words. */
export class ServiceError extends Error {
  /** @param {number} status @param {string} code @param {string} detail @param {any} facts */
  constructor(status, code, detail, facts) {
    super(detail);
    this.name = "ServiceError";
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.facts = facts ?? {};
  }
}

/**
 * One JSON call to the service.
 * @param {string} path
 * @param {object} body
 * @param {Options} options
 * @returns {Promise<any>}
 */
export async function callService(path, body, { signal, service = "" } = {}) {
  const response = await fetch(service + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
    credentials: "same-origin",
    signal,
  });
  const told = await response.json().catch(() => ({}));
  if (response.ok) return told;
  const code = told.code ?? "service.failed";
  throw new ServiceError(response.status, code, told.detail ?? "", told.facts);
}

/**
 * Sign in to the service with the card; the session's cookie comes with the answer.
 * @param {PortSealAgent} agent
 * @param {Options} [options]
 * @returns {Promise<Record<string, any>>} who is signed in
 */
export async function signInToPortal(agent, options = {}) {
  const { progress = () => {}, signal } = options;
  progress("agent");
  await agent.ready({ signal });
  progress("challenge");
  const challenge = await callService("/api/v1/sign-in/challenges", {}, options);
  progress("pin");
  const proof = await agent.signIn({ nonce: challenge.nonce }, { signal });
  progress("answer");
  const signedIn = await openSession(agent, { ...proof, nonce: challenge.nonce }, options);
  progress("done", signedIn);
  return signedIn;
}

/**
 * Open the session with what the card signed. Where the agent can watch over the USB key, the
 * session ends when that is pulled.
 * @param {PortSealAgent} agent
 * @param {{token: object, certificate: Certificate, nonce: string}} proof
 * @param {Options} [options]
 * @returns {Promise<Record<string, any>>} who is signed in
 */
export async function openSession(agent, { token, certificate, nonce }, options = {}) {
  const { signal } = options;
  const body = { token, nonce, presence: await agent.canWatch({ signal }) };
  const { presence, ...signedIn } = await callService("/api/v1/sign-in", body, options);
  if (presence) {
    const { secret, every_seconds: everySeconds } = presence;
    await agent.watch({ certificate: certificate.id, secret, everySeconds }, { signal });
  }
  return signedIn;
}

/**
 * Show and sign one declaration or document with the card that is signed in.
 * @param {PortSealAgent} agent
 * @param {{document: Uint8Array, format: string, level?: string, name?: string, card?: string}
 *   & Options} what
 * @returns {Promise<Record<string, any>>} the service's receipt: id, signature, indication
 */
export async function signDeclaration(agent, { document, name, ...rest }) {
  const documents = [{ document, name }];
  const [signed] = await signDeclarations(agent, { documents, ...rest });
  return signed;
}

/**
 * Show and sign several after one question, with one PIN.
 * @param {PortSealAgent} agent
 * @param {{documents: {document: Uint8Array, name?: string}[], format: string, level?: string,
 *   card?: string} & Options} what `card`: number of the one that is signed in
 * @returns {Promise<Record<string, any>[]>}
 */
export async function signDeclarations(agent, what) {
  const { documents, format, level = "B-T", card, ...options } = what;
  const { progress = () => {}, signal } = options;
  progress("agent");
  await agent.ready({ signal });
  progress("token");
  const certificate = await signingCertificate(agent, signal, card);
  const items = [];
  const prepared = [];
  for (const { document, name } of documents) {
    progress("prepare", { number: prepared.length + 1, of: documents.length });
    const octets = toBase64(document);
    const body = { document: octets, certificate: certificate.der, format, level, draft: true };
    const made = await callService("/api/v1/signatures/prepare", body, options);
    prepared.push(made);
    items.push({
      document: octets, format, toBeSigned: made.to_be_signed, draft: made.draft, name,
    });
  }
  progress("show", { count: items.length });
  const values = await valuesOf(agent, certificate, items, signal);
  const receipts = [];
  for (const [number, made] of prepared.entries()) {
    progress("complete", { number: number + 1, of: prepared.length });
    const body = { id: made.id, signature_value: values[number] };
    receipts.push(await callService("/api/v1/signatures/complete", body, options));
  }
  progress("done", { count: receipts.length });
  return receipts;
}

/**
 * @param {PortSealAgent} agent
 * @param {Certificate} certificate
 * @param {import("./portseal-agent.js").ToSign[]} items
 * @param {AbortSignal} [signal]
 * @returns {Promise<string[]>}
 */
async function valuesOf(agent, certificate, items, signal) {
  if (items.length === 1) {
    const one = { certificate: certificate.id, ...items[0] };
    return [(await agent.sign(one, { signal })).signatureValue];
  }
  const bundle = { certificate: certificate.id, items };
  return (await agent.signBundle(bundle, { signal })).signatureValues;
}

/**
 * Make the signing key on the USB key, fetch the certificate and write it back. A blank token is
 * made ready first, when there is none that waits for its certificate.
 * @param {PortSealAgent} agent
 * @param {{activationCode: string, token?: string, label?: string, suite?: string,
 *   recoveryKey?: JsonWebKey} & Options} what `label` names a blank token
 * @returns {Promise<Record<string, any>>} the service's record of the card, and `recovery` of a
 *   token that was made ready
 */
export async function enrolCard(agent, what) {
  const { activationCode, token, label = "PortSeal", suite, recoveryKey, ...options } = what;
  const { progress = () => {}, signal } = options;
  progress("agent");
  await agent.ready({ signal });
  progress("token");
  let chosen = await tokenToEnrol(agent, token, signal);
  let recovery = null;
  if (chosen.state === "blank") {
    progress("initialise");
    const blank = { token: chosen.id, label, recoveryKey };
    ({ token: chosen, recovery } = await agent.initialise(blank, { signal }));
  }
  progress("key");
  const { pkcs10 } = await agent.makeKey({ token: chosen.id, suite }, { signal });
  progress("request");
  const body = { activation_code: activationCode, pkcs10 };
  const enrolled = await callService("/api/v1/enrolments", body, options);
  progress("certificate");
  const certificates = [pemToBase64(enrolled.certificate)];
  await agent.writeCertificates({ token: chosen.id, certificates }, { signal });
  progress("done", enrolled);
  return { ...enrolled, recovery };
}

/**
 * Fetch the card's encryption key from the key centre and install it; asked again it comes anew.
 * @param {PortSealAgent} agent
 * @param {{token: string, certificate: Certificate} & Options} what `certificate`: for signing
 * @returns {Promise<Certificate>} the encryption certificate
 */
export async function fetchEncryptionKey(agent, { token, certificate, ...options }) {
  const { progress = () => {}, signal } = options;
  progress("key");
  const asked = { token, certificate: certificate.id };
  const { transportKey, signature } = await agent.makeTransportKey(asked, { signal });
  progress("request");
  const body = { certificate: certificate.der, transport_key: transportKey, signature };
  const sent = await callService("/api/v1/encryption-keys", body, options);
  progress("certificate");
  const delivered = { token, certificate: pemToBase64(sent.certificate), envelope: sent.envelope };
  const installed = await agent.installEncryptionKey(delivered, { signal });
  progress("done", sent);
  return installed.certificate;
}

/**
 * @param {PortSealAgent} agent
 * @param {string | undefined} identifier
 * @param {AbortSignal} [signal]
 * @returns {Promise<Token>}
 */
async function tokenToEnrol(agent, identifier, signal) {
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

/** @param {Uint8Array} octets */
export function toBase64(octets) {
  let text = "";
  for (let start = 0; start < octets.length; start += 0x8000) {
    text += String.fromCharCode(...octets.subarray(start, start + 0x8000));
  }
  return btoa(text);
}

/** @param {string} text PEM of one certificate, or base64 already */
export function pemToBase64(text) {
  return text.replace(/-----(BEGIN|END) CERTIFICATE-----/g, "").replace(/\s+/g, "");
}
