// Bundles the pages: build.mjs NODE_MODULES OUT. The licences of all that is bundled stand in the bundle.

import {copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from "node:fs";
import {createRequire} from "node:module";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";

const [modules, out] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const esbuild = createRequire(join(modules, "x.js"))("esbuild");

/** "name version" of every package among the bundle's inputs, by the text of its licence. */
function licencesOf(inputs) {
  const packages = new Set(Object.keys(inputs).map((path) => /.*node_modules\/((@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean));
  const byText = new Map();
  for (const name of [...packages].sort()) {
    const folder = join(modules, name);
    const {version, license} = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : `Licence: ${license}`;
    byText.set(text, [...(byText.get(text) ?? []), `${name} ${version}`]);
  }
  return [...byText].map(([text, names]) => `${names.join(", ")}\n\n${text}`).join("\n\n----\n\n");
}

mkdirSync(out, {recursive: true});
for (const name of ["report", "listen"]) {
  const {metafile, outputFiles} = await esbuild.build({
    entryPoints: [join(here, `${name}.js`)], absWorkingDir: here, nodePaths: [modules], bundle: true, minify: true, format: "iife", target: "es2022",
    charset: "utf8", legalComments: "none", logLevel: "warning", metafile: true, write: false, outfile: `${name}.js`,
  });
  const licences = licencesOf(metafile.inputs).replaceAll("*/", "* /");
  const text = (licences ? `/*!\n${licences}\n*/\n` : "") + outputFiles[0].text;
  if (/<\/(script|style)|<!--/i.test(text)) throw new Error(`${name}.js cannot stand in a page: it ends or begins an element`);
  writeFileSync(join(out, `${name}.js`), text);
  copyFileSync(join(here, `${name}.html`), join(out, `${name}.html`));
}
copyFileSync(join(here, "page.css"), join(out, "page.css"));
