// @ts-check
/**
 * Whole journeys: the key agent on one side, a PortSeal service's HTTP interface on the other.
 *
 * @typedef {import("./portseal-service.js").Step} Step
 * @typedef {import("./portseal-service.js").Progress} Progress
 * @typedef {import("./portseal-service.js").Options} Options
 * @typedef {import("./portseal-agent.js").PortSealAgent} PortSealAgent
 * @typedef {import("./portseal-agent.js").Certificate} Certificate
 */

import { callService, pemToBase64 } from "./portseal-service.js";
import { tokenToEnrol } from "./portseal-tokens.js";

export { AgencyBundle } from "./portseal-agencies.js";
export { ServiceError, callService, pemToBase64, toBase64 } from "./portseal-service.js";
export { SigningJob, signDeclaration, signDeclarations } from "./portseal-signing.js";
export { onlyToken, signingCertificate } from "./portseal-tokens.js";

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
