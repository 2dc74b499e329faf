/**
 * One JSON call to the service; it tells refusals in the page's language.
 * @param {string} path
 * @param {object} body
 * @param {Options} options
 * @returns {Promise<any>} rejects with ServiceError, or as `signal` says
 */
export function callService(path: string, body: object, { signal, service }?: Options): Promise<any>;
/**
 * Prepared signatures that nobody wants any more wait no longer at the service. Also while the page
 * is being left; that it fails costs ten minutes of room, and nothing else.
 * @param {string[]} ids
 * @param {Options} options
 */
export function abandon(ids: string[], { service }: Options): Promise<void>;
/**
 * Whether an error is about the one signature, which has to be prepared anew: the next may fare
 * better, and asked again with the same value the service would answer no other way.
 * @param {unknown} error
 */
export function isOfOneItem(error: unknown): boolean;
/** @param {unknown} error */
export function codeOf(error: unknown): string;
/** @param {Uint8Array} octets */
export function toBase64(octets: Uint8Array): string;
/** @param {string} text PEM of one certificate, or base64 already */
export function pemToBase64(text: string): string;
/**
 * Calls to a PortSeal service's HTTP interface, as every journey makes them.
 *
 * @typedef {"agent" | "token" | "challenge" | "pin" | "answer" | "initialise" | "key" | "request"
 *   | "certificate" | "prepare" | "show" | "complete" | "done"} Step
 * @typedef {(step: Step, facts?: Record<string, any>) => void} Progress
 *
 * @typedef {Object} Options
 * @property {Progress} [progress] told each step when it begins
 * @property {AbortSignal} [signal]
 * @property {string} [service] what stands before the service's paths, where it is not at the root
 *   of the page's own origin; pages of other origins have no session there
 */
/**
 * What the service refused, in its own words; where it did not answer at all, the status is 0 and
 * the code `service.unreachable`.
 */
export class ServiceError extends Error {
    /** @param {number} status @param {string} code @param {string} detail @param {any} facts */
    constructor(status: number, code: string, detail: string, facts: any);
    status: number;
    code: string;
    detail: string;
    facts: any;
}
/**
 * Calls to a PortSeal service's HTTP interface, as every journey makes them.
 */
export type Step = "agent" | "token" | "challenge" | "pin" | "answer" | "initialise" | "key" | "request" | "certificate" | "prepare" | "show" | "complete" | "done";
/**
 * Calls to a PortSeal service's HTTP interface, as every journey makes them.
 */
export type Progress = (step: Step, facts?: Record<string, any>) => void;
/**
 * Calls to a PortSeal service's HTTP interface, as every journey makes them.
 */
export type Options = {
    /**
     * told each step when it begins
     */
    progress?: Progress | undefined;
    signal?: AbortSignal | undefined;
    /**
     * what stands before the service's paths, where it is not at the root
     * of the page's own origin; pages of other origins have no session there
     */
    service?: string | undefined;
};
