/**
 * Sign in to the service with the card; the session's cookie comes with the answer.
 * @param {PortSealAgent} agent
 * @param {Options} [options]
 * @returns {Promise<Record<string, any>>} who is signed in
 */
export function signInToPortal(agent: PortSealAgent, options?: import("./portseal-service.js").Options | undefined): Promise<Record<string, any>>;
/**
 * Open the session with what the card signed. Where the agent can watch over the USB key, the
 * session ends when that is pulled.
 * @param {PortSealAgent} agent
 * @param {{token: object, certificate: Certificate, nonce: string}} proof
 * @param {Options} [options]
 * @returns {Promise<Record<string, any>>} who is signed in
 */
export function openSession(agent: PortSealAgent, { token, certificate, nonce }: {
    token: object;
    certificate: Certificate;
    nonce: string;
}, options?: import("./portseal-service.js").Options | undefined): Promise<Record<string, any>>;
/**
 * Make the signing key on the USB key, fetch the certificate and write it back. A blank token is
 * made ready first, when there is none that waits for its certificate.
 * @param {PortSealAgent} agent
 * @param {{activationCode: string, token?: string, label?: string, suite?: string,
 *   recoveryKey?: JsonWebKey} & Options} what `label` names a blank token
 * @returns {Promise<Record<string, any>>} the service's record of the card, and `recovery` of a
 *   token that was made ready
 */
export function enrolCard(agent: PortSealAgent, what: {
    activationCode: string;
    token?: string | undefined;
    label?: string | undefined;
    suite?: string | undefined;
    recoveryKey?: JsonWebKey | undefined;
} & import("./portseal-service.js").Options): Promise<Record<string, any>>;
/**
 * Fetch the card's encryption key from the key centre and install it; asked again it comes anew.
 * @param {PortSealAgent} agent
 * @param {{token: string, certificate: Certificate} & Options} what `certificate`: for signing
 * @returns {Promise<Certificate>} the encryption certificate
 */
export function fetchEncryptionKey(agent: PortSealAgent, { token, certificate, ...options }: {
    token: string;
    certificate: Certificate;
} & Options): Promise<Certificate>;
export { AgencyBundle } from "./portseal-agencies.js";
/**
 * Whole journeys: the key agent on one side, a PortSeal service's HTTP interface on the other.
 */
export type Step = import("./portseal-service.js").Step;
/**
 * Whole journeys: the key agent on one side, a PortSeal service's HTTP interface on the other.
 */
export type Progress = import("./portseal-service.js").Progress;
/**
 * Whole journeys: the key agent on one side, a PortSeal service's HTTP interface on the other.
 */
export type Options = import("./portseal-service.js").Options;
/**
 * Whole journeys: the key agent on one side, a PortSeal service's HTTP interface on the other.
 */
export type PortSealAgent = import("./portseal-agent.js").PortSealAgent;
/**
 * Whole journeys: the key agent on one side, a PortSeal service's HTTP interface on the other.
 */
export type Certificate = import("./portseal-agent.js").Certificate;
export { ServiceError, callService, pemToBase64, toBase64 } from "./portseal-service.js";
export { SigningJob, signDeclaration, signDeclarations } from "./portseal-signing.js";
export { onlyToken, signingCertificate } from "./portseal-tokens.js";
