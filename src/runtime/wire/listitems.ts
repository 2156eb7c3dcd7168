/** Takes the items out of a list in JSON one by one, as its bytes arrive: nobody need hold a page of thousands. */

const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c];
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Which member of the outermost object has the items. */
const KEY = "items";

/** How deep it is in front of an item: in the document, and in its array. */
const ITEMS_DEPTH = 2;

/** Fed with the pieces of one document `{…, "items": […], …}`; whether it is JSON shows when its parts are parsed. */
export class ItemSplitter {
  readonly #maxBytes: number;
  #item: Buffer[] = [];
  #itemBytes = 0;
  readonly #around: Buffer[] = [];
  #aroundBytes = 0;
  #depth = 0;
  #at: "json" | "string" | "escape" = "json";
  #where: "around" | "items" | "item" = "around";
  /** The last string of the outermost object, as far as it may be the key that matters. */
  #key = "";

  /** Neither an item nor everything around the items may be longer. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The texts of the items that end in this piece. Undefined: something is too long. */
  push(chunk: Buffer): readonly string[] | undefined {
    const items: string[] = [];
    let from = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] ?? 0;
      if (this.#at !== "json") {
        this.#inString(byte);
      } else if (byte === QUOTE) {
        this.#at = "string";
        if (this.#depth === 1) this.#key = "";
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (this.#open(byte) === "item") from = this.#putAround(chunk, from, i);
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (this.#close() !== "item") continue;
        items.push(this.#finish(chunk.subarray(from, i + 1)));
        from = i + 1;
      } else if (byte === COMMA && this.#where === "items" && this.#depth === ITEMS_DEPTH) {
        from = this.#putAround(chunk, from, i) + 1; // what is left of the array is empty
      }
    }
    if (this.#where === "item") this.#putItem(chunk.subarray(from));
    else this.#putAround(chunk, from, chunk.length);
    return this.#itemBytes > this.#maxBytes || this.#aroundBytes > this.#maxBytes ? undefined : items;
  }

  /** The document without its items. */
  get around(): string {
    return Buffer.concat(this.#around).toString("utf8");
  }

  #inString(byte: number): void {
    if (this.#at === "escape") this.#at = "string";
    else if (byte === BACKSLASH) this.#at = "escape";
    else if (byte === QUOTE) this.#at = "json";
    else if (this.#depth === 1 && this.#key.length <= KEY.length) this.#key += String.fromCharCode(byte);
  }

  /** `item`: one begins here. */
  #open(byte: number): "item" | "other" {
    const depth = this.#depth++;
    if (depth === 1 && byte === OPEN_BRACKET && this.#key === KEY) this.#where = "items";
    if (this.#where !== "items" || depth !== ITEMS_DEPTH || byte !== OPEN_BRACE) return "other";
    this.#where = "item";
    return "item";
  }

  /** `item`: one ends here. */
  #close(): "item" | "other" {
    this.#depth--;
    if (this.#where === "items" && this.#depth < ITEMS_DEPTH) this.#where = "around";
    if (this.#where !== "item" || this.#depth !== ITEMS_DEPTH) return "other";
    this.#where = "items";
    return "item";
  }

  #finish(tail: Buffer): string {
    this.#putItem(tail);
    const text = (this.#item.length === 1 ? tail : Buffer.concat(this.#item)).toString("utf8");
    this.#item = [];
    this.#itemBytes = 0;
    return text;
  }

  #putItem(piece: Buffer): void {
    this.#item.push(piece);
    this.#itemBytes += piece.length;
  }

  /** Returns `to`. */
  #putAround(chunk: Buffer, from: number, to: number): number {
    if (to > from) this.#around.push(Buffer.from(chunk.subarray(from, to))); // a view would hold the whole piece
    this.#aroundBytes += to - from;
    return to;
  }
}
