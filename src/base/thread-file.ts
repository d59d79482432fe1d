/** Where the file of a worker thread lies. */

/**
 * `path`: beside the module that asks, whose `import.meta.url` is `from`; with the ending of a source. In the package the file has the same name,
 * compiled.
 */
export function threadFile(path: `./${string}.ts`, from: string): URL {
  const isSource = new URL(from).pathname.endsWith(".ts");
  return new URL(isSource ? path : path.replace(/\.ts$/, ".js"), from);
}
