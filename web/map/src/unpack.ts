// The other half of geo/layers.py: what Python packed into the page, unpacked.

/** Bytes of a `<script type="application/gzip">` block of the page: base64, then gzip. */
export async function unpack(id: string): Promise<Uint8Array<ArrayBuffer>> {
  const text = document.getElementById(id)!.textContent!.trim();
  const packed = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

/** Reads zigzagged base-128 numbers one after another. */
export class Integers {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  next(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value % 2 ? -(value + 1) / 2 : value / 2;
      scale *= 128;
    }
  }

  take(count: number): Int32Array {
    const out = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const byte = this.bytes[this.at];
      if (byte < 128) {
        out[i] = (byte >>> 1) ^ -(byte & 1); // most numbers are small
        this.at++;
      } else out[i] = this.next();
    }
    return out;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }
}

/** Multipolygons in degrees from their steps on a grid. */
export function polygons(bytes: Uint8Array, origin: [number, number], step: number): GeoJSON.MultiPolygon[] {
  const numbers = new Integers(bytes);
  const shapes: GeoJSON.MultiPolygon[] = [];
  while (!numbers.done) {
    const coordinates: number[][][][] = [];
    for (let polygon = numbers.next(); polygon > 0; polygon--) {
      const rings: number[][][] = [];
      for (let ring = numbers.next(); ring > 0; ring--) rings.push(ringFrom(numbers, origin, step));
      coordinates.push(rings);
    }
    shapes.push({ type: "MultiPolygon", coordinates });
  }
  return shapes;
}

function ringFrom(numbers: Integers, origin: [number, number], step: number): number[][] {
  const ring: number[][] = [];
  let x = 0;
  let y = 0;
  for (let point = numbers.next(); point > 0; point--) {
    x += numbers.next();
    y += numbers.next();
    ring.push([origin[0] + x * step, origin[1] + y * step]);
  }
  ring.push(ring[0]);
  return ring;
}
