/**
 * Show and sign one declaration or document with the card that is signed in.
 * @param {PortSealAgent} agent
 * @param {{document: Uint8Array, format: string, level?: string, name?: string, card?: string}
 *   & Options} what
 * @returns {Promise<Record<string, any>>} the service's receipt: id, signature, indication
 */
export function signDeclaration(agent: PortSealAgent, { document, name, ...rest }: {
    document: Uint8Array;
    format: string;
    level?: string;
    name?: string;
    card?: string;
} & Options): Promise<Record<string, any>>;
/**
 * Show and sign several after one question, with one PIN: all of them, or none is shown. More than
 * the service or the agent takes at once is signed in several rounds, each with its own question.
 * @param {PortSealAgent} agent
 * @param {{documents: NamedDocument[], format: string, level?: string, card?: string} & Options}
 *   what `card`: number of the one that is signed in
 * @returns {Promise<Record<string, any>[]>} receipts in order. When some cannot be completed it
 *   rejects with the first error, whose `receipts` holds those that could, null for the others
 */
export function signDeclarations(agent: PortSealAgent, { documents, format, ...options }: {
    documents: NamedDocument[];
    format: string;
    level?: string;
    card?: string;
} & Options): Promise<Record<string, any>[]>;
export { JobItem } from "./portseal-signing-items.js";
export class SigningJob {
    /**
     * @param {PortSealAgent} agent
     * @param {{level?: string, card?: string, changed?: (item: JobItem) => void} & Options} [options]
     *   `card`: number of the one that is signed in; `changed`: told of an item in a new state
     */
    constructor(agent: PortSealAgent, options?: ({
        level?: string | undefined;
        card?: string | undefined;
        changed?: ((item: JobItem) => void) | undefined;
    } & import("./portseal-service.js").Options) | undefined);
    /** @type {JobItem[]} */ items: JobItem[];
    /**
     * @param {NamedDocument[]} documents several are signed as ASiC-E alone
     * @param {string} format
     * @returns {JobItem}
     */
    add(documents: NamedDocument[], format: string): JobItem;
    /** @param {ItemState[]} states */
    in(...states: ItemState[]): JobItem[];
    /**
     * Everything that is not signed yet; with `again` also what was refused before. What the service
     * refuses is marked so and holds up nothing else. Rejects when nothing can be prepared at all: no
     * agent, nobody signed in, no service. What the service has no room for stays `chosen`: it is
     * for the next time, once what is ready is signed and completed.
     * @param {{again?: boolean}} how
     */
    prepare({ again }?: {
        again?: boolean;
    }): Promise<void>;
    /** Everything that is prepared, after one question and with one PIN, as far as the agent takes
     * it: what is more gets a question of its own. */
    sign(): Promise<void>;
    /** Everything that is signed, also what failed before. Rejects for nothing: `items` tell. */
    complete(): Promise<void>;
    /** What was prepared and is not wanted any more waits no longer at the service. */
    abandon(): Promise<void>;
    #private;
}
/**
 * Signing: files are prepared by the service, shown by the agent and signed with one PIN, and what
 * the card made of them is completed. `SigningJob` keeps every step of every file, so that what
 * failed is tried again without signing anything twice; `signDeclarations` is all of it in one call.
 */
export type PortSealAgent = import("./portseal-agent.js").PortSealAgent;
/**
 * Signing: files are prepared by the service, shown by the agent and signed with one PIN, and what
 * the card made of them is completed. `SigningJob` keeps every step of every file, so that what
 * failed is tried again without signing anything twice; `signDeclarations` is all of it in one call.
 */
export type Certificate = import("./portseal-agent.js").Certificate;
/**
 * Signing: files are prepared by the service, shown by the agent and signed with one PIN, and what
 * the card made of them is completed. `SigningJob` keeps every step of every file, so that what
 * failed is tried again without signing anything twice; `signDeclarations` is all of it in one call.
 */
export type Options = import("./portseal-service.js").Options;
/**
 * Signing: files are prepared by the service, shown by the agent and signed with one PIN, and what
 * the card made of them is completed. `SigningJob` keeps every step of every file, so that what
 * failed is tried again without signing anything twice; `signDeclarations` is all of it in one call.
 */
export type NamedDocument = import("./portseal-signing-items.js").NamedDocument;
/**
 * Signing: files are prepared by the service, shown by the agent and signed with one PIN, and what
 * the card made of them is completed. `SigningJob` keeps every step of every file, so that what
 * failed is tried again without signing anything twice; `signDeclarations` is all of it in one call.
 */
export type ItemState = import("./portseal-signing-items.js").ItemState;
import { JobItem } from "./portseal-signing-items.js";
export { SUFFIXES, fits, usualFormat } from "./portseal-formats.js";
