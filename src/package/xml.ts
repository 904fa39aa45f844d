import { StationError } from "../errors/station-error.ts";

/** An element of a small XML document: elements, attributes that are ignored, text. */
export interface XmlElement {
  readonly name: string;
  /** Text directly inside, trimmed. */
  readonly text: string;
  readonly children: readonly XmlElement[];
  /** Line of the opening tag, from 1. */
  readonly line: number;
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
/** Deeper documents are refused; the known ones have three levels. */
const deepest = 32;

/**
 * Reads the XML that STM32TrustedPackageCreator's descriptions are written in: a declaration, comments, elements and
 * text. No document types and no entities but the five of XML itself, so nothing in it can grow or reach outside.
 * @throws INPUT_INVALID with the line
 */
export function parseXml(text: string, source: string): XmlElement {
  const stack: { name: string; text: string; children: XmlElement[]; line: number }[] = [];
  let root: XmlElement | undefined;
  let line = 1;
  const invalid = (detail: string) =>
    StationError.of("INPUT_INVALID", {
      file: source,
      format: "XML description",
      position: `line ${line}`,
      detail,
    });
  for (const [token] of text.replace(/^\uFEFF/, "").matchAll(/<!--[\s\S]*?-->|<[^>]*>|[^<]+|</g)) {
    const top = stack.at(-1);
    if (token.startsWith("<!--") || /^<\?[\s\S]*\?>$/.test(token)) {
      // Comments and declarations say nothing.
    } else if (!token.startsWith("<")) {
      if (top !== undefined) top.text += token;
      else if (token.trim() !== "") throw invalid("text outside the root element");
    } else {
      const match = /^<(\/?)([A-Za-z_][\w.-]*)(?:\s[^<>]*?)?(\/?)>$/.exec(token);
      if (match === null) throw invalid(`${JSON.stringify(token.slice(0, 20))} is no tag of this form`);
      const [, closing, name, empty] = match as unknown as [string, string, string, string];
      if (closing === "/") {
        if (top?.name !== name) throw invalid(`</${name}> closes ${top?.name ?? "nothing"}`);
        stack.pop();
        const element = { ...top, text: unescapeText(top.text.trim(), invalid) };
        const parent = stack.at(-1);
        if (parent === undefined) root = element;
        else parent.children.push(element);
      } else {
        if (top === undefined && root !== undefined) throw invalid("a second root element");
        if (stack.length >= deepest) throw invalid("elements lie too deep in each other");
        if (empty === "/") {
          if (top === undefined) throw invalid("the root element is empty");
          top.children.push({ name, text: "", children: [], line });
        } else stack.push({ name, text: "", children: [], line });
      }
    }
    line += token.split("\n").length - 1;
  }
  if (stack.length > 0) throw invalid(`<${stack.at(-1)?.name}> is not closed`);
  if (root === undefined) throw invalid("it holds no element");
  return root;
}

/** The text of a child, or undefined. */
export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

function unescapeText(text: string, invalid: (detail: string) => StationError): string {
  return text.replace(/&(\w*);?/g, (whole, name: string) => {
    const character = entities[name];
    if (character === undefined || !whole.endsWith(";")) throw invalid(`${whole} is no entity`);
    return character;
  });
}
