export class PortSealProgress extends HTMLElement {
    /**
     * A step begins. Bound: hand it over as a journey's `progress`.
     * @param {string} name
     * @param {Record<string, any>} [facts]
     */
    step(name: string, facts?: Record<string, any> | undefined): void;
    /**
     * The journey ended with an error. Bound.
     * @param {any} error
     */
    fail(error: any): void;
    /**
     * Ask the user, in the agent's window, whether this site may see the cards that are plugged in and
     * that it does not see yet. Bound.
     */
    showCard(): Promise<void>;
    connectedCallback(): void;
    /** Back to the beginning. */
    reset(): void;
    /** The step that was told last. */
    get current(): string | null;
    #private;
}
