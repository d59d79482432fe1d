/**
 * Just enough of a DOM for react-dom to render text into: a tree of nodes, attributes and no events. It lets the hooks be
 * tested with React itself, wherever the tests run; the page as a whole is tested in a real browser.
 */

class TinyNode {
  readonly nodeType: number;
  readonly nodeName: string;
  readonly ownerDocument: TinyDocument;
  readonly namespaceURI = "http://www.w3.org/1999/xhtml";
  readonly style: Record<string, string> = {};
  readonly childNodes: TinyNode[] = [];
  readonly attributes = new Map<string, string>();
  parentNode: TinyNode | null = null;
  nodeValue = "";

  constructor(document: TinyDocument | undefined, nodeType: number, nodeName: string) {
    this.ownerDocument = document ?? (this as unknown as TinyDocument);
    this.nodeType = nodeType;
    this.nodeName = nodeName;
  }

  get tagName(): string {
    return this.nodeName;
  }
  get data(): string {
    return this.nodeValue;
  }
  get firstChild(): TinyNode | null {
    return this.childNodes[0] ?? null;
  }
  get lastChild(): TinyNode | null {
    return this.childNodes.at(-1) ?? null;
  }
  get nextSibling(): TinyNode | null {
    const siblings = this.parentNode?.childNodes ?? [];
    return siblings[siblings.indexOf(this) + 1] ?? null;
  }
  get textContent(): string {
    return this.nodeType === 3 ? this.nodeValue : this.childNodes.map((child) => child.textContent).join("");
  }
  set textContent(text: string) {
    this.childNodes.length = 0;
    if (text !== "") this.appendChild(this.ownerDocument.createTextNode(text));
  }

  appendChild(child: TinyNode): TinyNode {
    return this.insertBefore(child, null);
  }
  insertBefore(child: TinyNode, before: TinyNode | null): TinyNode {
    child.parentNode?.removeChild(child);
    const at = before === null ? this.childNodes.length : this.childNodes.indexOf(before);
    this.childNodes.splice(at, 0, child);
    child.parentNode = this;
    return child;
  }
  removeChild(child: TinyNode): TinyNode {
    this.childNodes.splice(this.childNodes.indexOf(child), 1);
    child.parentNode = null;
    return child;
  }
  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
  }
  removeAttribute(name: string): void {
    this.attributes.delete(name);
  }
  addEventListener(): void {}
  removeEventListener(): void {}
}

class TinyDocument extends TinyNode {
  readonly defaultView: object;
  readonly activeElement = null;

  constructor(defaultView: object) {
    super(undefined, 9, "#document");
    this.defaultView = defaultView;
  }
  createElement(name: string): TinyNode {
    return new TinyNode(this, 1, name.toUpperCase());
  }
  createTextNode(text: string): TinyNode {
    const node = new TinyNode(this, 3, "#text");
    node.nodeValue = text;
    return node;
  }
}

/** Puts `window` and `document` in place for react-dom and gives an element to render into. */
export function tinyDom(): Element {
  const window = { HTMLIFrameElement: class {}, event: undefined };
  const document = new TinyDocument(window);
  Object.assign(globalThis, { window, document });
  return document.createElement("main") as unknown as Element;
}
