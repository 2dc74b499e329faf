/**
 * A bundle on its way. `run` goes on from where it stopped: what the card signed before is
 * completed without another PIN, and nothing is signed twice.
 */
export class AgencyBundle {
    /**
     * @param {PortSealAgent} agent
     * @param {AgencyPart[]} parts up to 64, 32 MiB together
     * @param {{level?: string, card?: string} & Options} [options] `card`: number of the one that is
     *   signed in
     */
    constructor(agent: PortSealAgent, parts: AgencyPart[], options?: ({
        level?: string | undefined;
        card?: string | undefined;
    } & import("./portseal-service.js").Options) | undefined);
    /** Whether the card has signed it: only the service's answer is missing. */
    get isSigned(): boolean;
    /**
     * @returns {Promise<PartReceipt[]>} in the order of the parts. Rejects with the AgentError or
     *   ServiceError of the step that failed: call it again
     */
    run(): Promise<PartReceipt[]>;
    #private;
}
/**
 * One entry for several agencies: one signature of the card, and a proof for each agency over its
 * own document alone (`portseal-journeys.js` has the other journeys).
 */
export type PortSealAgent = import("./portseal-agent.js").PortSealAgent;
/**
 * One entry for several agencies: one signature of the card, and a proof for each agency over its
 * own document alone (`portseal-journeys.js` has the other journeys).
 */
export type Options = import("./portseal-service.js").Options;
/**
 * One entry for several agencies: one signature of the card, and a proof for each agency over its
 * own document alone (`portseal-journeys.js` has the other journeys).
 */
export type AgencyPart = {
    document: Uint8Array;
    recipient: string;
    name?: string;
};
/**
 * `proof`: base64 of the file that goes to the agency beside its document
 */
export type PartReceipt = {
    id: string;
    recipient: string;
    proof: string;
    indication: string;
};
