/**
 * What the agent takes at once, in order.
 * @param {JobItem[]} items
 * @returns {JobItem[][]}
 */
export function bundles(items: JobItem[]): JobItem[][];
/**
 * About so many in the agent's request.
 * @param {NamedDocument[]} documents
 * @param {Record<string, any> | null} prepared
 */
export function charactersOf(documents: NamedDocument[], prepared: Record<string, any> | null): any;
/** @param {JobItem} item @returns {ToSign} */
export function toSign({ documents, format, prepared }: JobItem): ToSign;
export const MOST_CHARACTERS: number;
/** One signature of a job: over one document, or over several in one container. */
export class JobItem {
    /** @param {NamedDocument[]} documents @param {string} format */
    constructor(documents: NamedDocument[], format: string);
    /** @type {ItemState} */ state: ItemState;
    /**
     * Why it was refused or failed.
     * @type {any}
     */
    error: any;
    /**
     * The service's answer to `prepare`.
     * @type {Record<string, any> | null}
     */
    prepared: Record<string, any> | null;
    /** @type {string | null} */ value: string | null;
    /**
     * The service's: id, signature, indication.
     * @type {Record<string, any> | null}
     */
    receipt: Record<string, any> | null;
    preparedAt: number;
    /** Identifier of the certificate that it was prepared for. */
    preparedFor: string;
    documents: NamedDocument[];
    format: string;
    get name(): string | undefined;
}
/**
 * One signature of a job and its states, and how several make what the agent takes at once.
 */
export type ToSign = import("./portseal-agent.js").ToSign;
/**
 * One signature of a job and its states, and how several make what the agent takes at once.
 */
export type NamedDocument = {
    document: Uint8Array;
    name?: string;
};
/**
 * refused: by the service, and prepared anew when tried again; failed: signed already, and
 * completed without a PIN when tried again
 */
export type ItemState = "chosen" | "prepared" | "signed" | "done" | "refused" | "failed";
