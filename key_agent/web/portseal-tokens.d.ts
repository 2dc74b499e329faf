/**
 * @param {PortSealAgent} agent
 * @param {string | undefined} identifier
 * @param {AbortSignal} [signal]
 * @returns {Promise<Token>}
 */
export function tokenToEnrol(agent: PortSealAgent, identifier: string | undefined, signal?: AbortSignal | undefined): Promise<Token>;
/**
 * The one token that is plugged in and initialised.
 * @param {PortSealAgent} agent
 * @param {AbortSignal} [signal]
 * @returns {Promise<Token>}
 */
export function onlyToken(agent: PortSealAgent, signal?: AbortSignal | undefined): Promise<Token>;
/**
 * The newest certificate for signing that has its key beside it.
 * @param {PortSealAgent} agent
 * @param {AbortSignal} [signal]
 * @param {string} [card] number of the card that it must be of
 * @returns {Promise<Certificate>}
 */
export function signingCertificate(agent: PortSealAgent, signal?: AbortSignal | undefined, card?: string | undefined): Promise<Certificate>;
/**
 * Which of the USB keys that are plugged in, and which certificate on it.
 */
export type PortSealAgent = import("./portseal-agent.js").PortSealAgent;
/**
 * Which of the USB keys that are plugged in, and which certificate on it.
 */
export type Token = import("./portseal-agent.js").Token;
/**
 * Which of the USB keys that are plugged in, and which certificate on it.
 */
export type Certificate = import("./portseal-agent.js").Certificate;
