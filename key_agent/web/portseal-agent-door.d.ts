/**
 * @param {string} address
 * @param {string} method
 * @param {object} body
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>} rejects with AgentError alone
 */
export function request(address: string, method: string, body: object, signal?: AbortSignal | undefined): Promise<any>;
/**
 * Whether asking for the agent now would make the browser ask its user first.
 * @returns {Promise<boolean>}
 */
export function wouldAskUser(): Promise<boolean>;
