/** Which format a file is signed in, and what the signed file's name ends with. */
/**
 * The usual format of a file, by what it is: signed inside PDF and XML, JSON as JAdES, anything
 * else with its signature in one container.
 * @param {Uint8Array} document
 * @returns {"PAdES" | "XAdES" | "JAdES" | "ASiC-S"}
 */
export function usualFormat(document: Uint8Array): "PAdES" | "XAdES" | "JAdES" | "ASiC-S";
/**
 * Whether a document can be signed in this format at all.
 * @param {Uint8Array} document
 * @param {string} format
 */
export function fits(document: Uint8Array, format: string): boolean;
/**
 * What a signature file's name ends with.
 * @type {Record<string, string>}
 */
export const SUFFIXES: Record<string, string>;
