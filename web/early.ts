/** A build's first script (`src/first/first.ts`): an entry of its own, which knows the files of every page. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Plugin, Rolldown } from "vite";

const SOURCE = resolve(import.meta.dirname, "src");
const CHARSET = '<meta charset="utf-8" />';
const PLACE = /path: "([^"]+)".*import\("\.\.\/(features\/[^"]+)"\)/g;

/** Every page's path and the file of its source, as `app/pages.tsx` says. */
export function placesOf(text: string): [path: string, source: string][] {
  const found = [...text.matchAll(PLACE)].map(([, path, source]): [string, string] => [path ?? "", source ?? ""]);
  if (found.length !== text.match(/\bpath: "/g)?.length) throw new Error("app/pages.tsx: a page is not one line with `path` and `import`");
  return found;
}

/** The files that are there before these begin: they themselves, and what they import. */
function withImports(names: string[], all: Rolldown.OutputBundle, found = new Set<string>()): Set<string> {
  for (const name of names) {
    const one = all[name];
    if (found.has(name) || one?.type !== "chunk") continue;
    found.add(name);
    withImports(one.imports, all, found);
  }
  return found;
}

export function early(): Plugin {
  return {
    name: "ludb-early",
    apply: "build",
    buildStart() {
      this.emitFile({ type: "chunk", id: resolve(SOURCE, "first/first.ts"), name: "first" });
    },
    /** A classic script: it is done before any module begins, and leaves no name behind. */
    generateBundle(_, bundle) {
      for (const one of Object.values(bundle)) if (one.type === "chunk" && one.name === "first") one.code = `(() => {${one.code}})();\n`;
    },
    transformIndexHtml: {
      order: "post",
      handler(html, { bundle }) {
        if (!bundle) return html;
        const chunks = Object.values(bundle).filter((one) => one.type === "chunk");
        const first = chunks.find((one) => one.name === "first");
        const entry = chunks.find((one) => one.isEntry && one !== first);
        if (!first || !entry || first.imports.length > 0) throw new Error("first.ts must be a file that imports nothing");
        const always = withImports([entry.fileName], bundle);
        const pages = placesOf(readFileSync(resolve(SOURCE, "app/pages.tsx"), "utf-8")).map(([path, source]) => {
          const chunk = chunks.find((one) => one.facadeModuleId?.startsWith(resolve(SOURCE, source)));
          if (!chunk) throw new Error(`${source} is no file of its own`);
          const brought = withImports([chunk.fileName, ...chunk.dynamicImports], bundle);
          return [path, [...brought].filter((name) => !always.has(name)).map((name) => `/${name}`)];
        });
        const entered = `<script type="module" crossorigin src="/${entry.fileName}"></script>`;
        if (!html.includes(entered)) throw new Error("index.html has no entry to begin later");
        // The entry is fetched at once and begun by the first script. Behind the character set, which stands among the first 1024 bytes.
        return html.replace(entered, `<link rel="modulepreload" crossorigin href="/${entry.fileName}" id="entry">`).replace(CHARSET, `${CHARSET}
    <script type="application/json" id="files">${JSON.stringify(pages)}</script>
    <script src="/${first.fileName}"></script>`);
      },
    },
  };
}
