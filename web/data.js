// The pieces of data beside the page: script elements that call aorPiece or aorSound, since a page
// opened from disk may fetch nothing.

const waiting = new Map();

function arrived(key, base64) {
  waiting.get(key)?.(base64);
}

globalThis.aorPiece = (name, base64) => arrived(`data/${name}.js`, base64);
globalThis.aorSound = (name, base64) => arrived(`sounds/${name}.js`, base64);

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function loadScript(address, version) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const done = (act) => {
      waiting.delete(address);
      script.remove();
      act();
    };
    waiting.set(address, (base64) => done(() => resolve(base64)));
    script.onload = () => waiting.has(address) && done(() => reject(new Error(`${address} holds something else`)));
    script.onerror = () => done(() => reject(new Error(`${address} cannot be loaded`)));
    const path = address.split("/").map(encodeURIComponent).join("/");
    script.src = version ? `${path}?v=${encodeURIComponent(version)}` : path;
    document.head.append(script);
  });
}

export async function loadPiece(name, version) {
  const bytes = bytesOf(await loadScript(`data/${name}.js`, version));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  try {
    return await new Response(stream).json();
  } catch (cause) {
    throw new Error(`data/${name}.js is damaged`, {cause});
  }
}

/** The FLAC file of a sample in a condition. */
export async function loadSound(condition, sample, isLive) {
  if (!isLive) return bytesOf(await loadScript(`sounds/${condition}/${sample}.js`));
  const address = `sounds/${encodeURIComponent(condition)}/${encodeURIComponent(sample)}.flac`;
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}
