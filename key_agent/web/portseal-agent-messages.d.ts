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
export function asItem({ document, format, toBeSigned, draft, name, act, beside }: ToSign): {
    beside?: undefined;
    document: string;
    format: string;
    to_be_signed: string;
    draft: string;
    name: string | null;
} | {
    beside: ({
        document: string;
        name?: string | undefined;
    } & {
        name: string | null;
    })[];
    document: string;
    format: string;
    to_be_signed: string;
    draft: string;
    name: string | null;
} | {
    act: "first" | "counter";
    beside?: undefined;
    document: string;
    format: string;
    to_be_signed: string;
    draft: string;
    name: string | null;
} | {
    act: "first" | "counter";
    beside: ({
        document: string;
        name?: string | undefined;
    } & {
        name: string | null;
    })[];
    document: string;
    format: string;
    to_be_signed: string;
    draft: string;
    name: string | null;
};
/**
 * @template {{name?: string}} T
 * @param {T} body
 */
export function named<T extends {
    name?: string | undefined;
}>(body: T): T & {
    name: string | null;
};
/** @param {any} told @returns {Certificate} */
export function asCertificate(told: any): Certificate;
/** @param {any} told @returns {Token} */
export function asToken(told: any): Token;
/**
 * What goes to the key agent and comes from it, as pages have it and as the agent has it.
 */
export type Certificate = {
    /**
     * SHA-256 of the DER, hex
     */
    id: string;
    /**
     * base64
     */
    der: string;
    subject: string;
    issuer: string;
    /**
     * hex
     */
    serial: string;
    /**
     * RFC 3339
     */
    notBefore: string;
    /**
     * RFC 3339
     */
    notAfter: string;
    usage: ("signing" | "encryption")[];
    /**
     * label of the key beside it
     */
    key: string;
    hasKey: boolean;
};
/**
 * What goes to the key agent and comes from it, as pages have it and as the agent has it.
 */
export type Token = {
    id: string;
    label: string;
    manufacturer: string;
    model: string;
    serial: string;
    state: "ready" | "blank" | "locked" | "no-pin";
    /**
     * what PKCS#11 tells
     */
    pinTries: "all" | "few" | "one" | "none";
    /**
     * those that this origin may see
     */
    certificates: Certificate[];
};
/**
 * What goes to the key agent and comes from it, as pages have it and as the agent has it.
 */
export type ToSign = {
    /**
     * base64
     */
    document: string;
    /**
     * CAdES, XAdES, PAdES, JAdES, ASiC-S or ASiC-E
     */
    format: string;
    /**
     * base64, from the service
     */
    toBeSigned: string;
    /**
     * base64, from the service
     */
    draft: string;
    /**
     * the file's name, for the person to recognise
     */
    name?: string | undefined;
    /**
     * counter: upon the signature over the document in the draft
     */
    act?: "first" | "counter" | undefined;
    /**
     * more documents under the same signature,
     * in the order in which the container has them; agents since 1.3.0
     */
    beside?: {
        document: string;
        name?: string | undefined;
    }[] | undefined;
};
/**
 * What goes to the key agent and comes from it, as pages have it and as the agent has it.
 */
export type Confirmation = {
    /**
     * name of the platform that asks
     */
    platform: string;
    /**
     * one line each
     */
    acts: string[];
};
