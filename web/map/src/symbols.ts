// Symbols of settings and projects, told apart by shape and letter as well as by colour. One drawing serves the map and its key.

export interface Symbol {
  letter: string;
  colour: string;
  shape: "circle" | "square" | "triangle" | "diamond" | "hexagon";
}

export const SYMBOLS: Record<string, Symbol> = {
  state_special: { letter: "S", colour: "#d55e00", shape: "circle" },
  resourced_provision: { letter: "R", colour: "#00795a", shape: "square" },
  ap: { letter: "A", colour: "#8a3d77", shape: "triangle" },
  non_maintained: { letter: "N", colour: "#e69f00", shape: "diamond" },
  independent_special: { letter: "I", colour: "#f0e442", shape: "hexagon" },
};

const DARK = "#0b0c0c";
const SIZE = 32;

/** Symbol of a kind of setting as pixels, drawn twice as large for sharp screens. */
export function settingSymbol({ letter, colour, shape }: Symbol): ImageData {
  const paint = canvas(SIZE, SIZE);
  outline(paint, shape);
  paint.fillStyle = colour;
  paint.strokeStyle = "#ffffff";
  paint.lineWidth = 5;
  paint.stroke();
  paint.fill();
  paint.strokeStyle = DARK;
  paint.lineWidth = 2;
  paint.stroke();
  paint.fillStyle = ["#e69f00", "#f0e442"].includes(colour) ? DARK : "#ffffff";
  paint.font = "bold 15px arial, sans-serif";
  paint.textAlign = "center";
  paint.textBaseline = "middle";
  paint.fillText(letter, SIZE / 2, SIZE / 2 + (shape === "triangle" ? 4 : 1));
  return paint.getImageData(0, 0, 2 * SIZE, 2 * SIZE);
}

/** A project's pin with its number: filled once it is open, hollow before. */
export function projectSymbol(open: boolean, number: string): ImageData {
  const paint = canvas(SIZE, SIZE + 8);
  paint.beginPath();
  paint.roundRect(3, 3, SIZE - 6, SIZE - 8, 3);
  paint.moveTo(SIZE / 2 - 6, SIZE - 5);
  paint.lineTo(SIZE / 2, SIZE + 5);
  paint.lineTo(SIZE / 2 + 6, SIZE - 5);
  paint.strokeStyle = open ? "#ffdd00" : DARK;
  paint.lineWidth = 4;
  paint.stroke();
  paint.fillStyle = open ? DARK : "#ffffff";
  paint.fill();
  paint.fillStyle = open ? "#ffffff" : DARK;
  paint.font = `bold ${number.length > 2 ? 12 : 16}px arial, sans-serif`;
  paint.textAlign = "center";
  paint.textBaseline = "middle";
  paint.fillText(number, SIZE / 2, SIZE / 2);
  return paint.getImageData(0, 0, 2 * SIZE, 2 * (SIZE + 8));
}

/** Projects too close together to show one by one: a round pin with how many they are. */
export function crowdSymbol(count: string): ImageData {
  const paint = canvas(SIZE + 10, SIZE + 8);
  const middle = (SIZE + 10) / 2;
  paint.beginPath();
  paint.roundRect(3, 3, SIZE + 4, SIZE - 8, (SIZE - 8) / 2);
  paint.moveTo(middle - 6, SIZE - 5);
  paint.lineTo(middle, SIZE + 5);
  paint.lineTo(middle + 6, SIZE - 5);
  paint.strokeStyle = "#ffffff";
  paint.lineWidth = 4;
  paint.stroke();
  paint.fillStyle = "#4c2c92";
  paint.fill();
  paint.fillStyle = "#ffffff";
  paint.font = "bold 15px arial, sans-serif";
  paint.textAlign = "center";
  paint.textBaseline = "middle";
  paint.fillText(`\u00d7${count}`, middle, SIZE / 2);
  return paint.getImageData(0, 0, 2 * (SIZE + 10), 2 * (SIZE + 8));
}

/** A candidate that is not in the plan: a small white square with a plus. */
export function candidateSymbol(): ImageData {
  const size = 18;
  const paint = canvas(size, size);
  paint.fillStyle = "#ffffff";
  paint.strokeStyle = "#4c2c92";
  paint.lineWidth = 2;
  paint.fillRect(2, 2, size - 4, size - 4);
  paint.strokeRect(2, 2, size - 4, size - 4);
  paint.beginPath();
  paint.moveTo(size / 2, 5);
  paint.lineTo(size / 2, size - 5);
  paint.moveTo(5, size / 2);
  paint.lineTo(size - 5, size / 2);
  paint.stroke();
  return paint.getImageData(0, 0, 2 * size, 2 * size);
}

/** A pattern for areas without a figure: hatching, not a shade. */
export function hatching(): ImageData {
  const paint = canvas(8, 8);
  paint.fillStyle = "#ffffff";
  paint.fillRect(0, 0, 8, 8);
  paint.strokeStyle = "#8a8f94";
  paint.lineWidth = 1;
  for (const start of [-8, 0, 8]) {
    paint.moveTo(start, 8);
    paint.lineTo(start + 8, 0);
  }
  paint.stroke();
  return paint.getImageData(0, 0, 16, 16);
}

/** Pixels as a picture for the page. */
export function picture(pixels: ImageData, alt: string): HTMLImageElement {
  const paint = document.createElement("canvas");
  paint.width = pixels.width;
  paint.height = pixels.height;
  paint.getContext("2d")!.putImageData(pixels, 0, 0);
  const image = new Image(pixels.width / 2, pixels.height / 2);
  image.src = paint.toDataURL();
  image.alt = alt;
  return image;
}

function canvas(width: number, height: number): CanvasRenderingContext2D {
  const sheet = document.createElement("canvas");
  sheet.width = 2 * width;
  sheet.height = 2 * height;
  const paint = sheet.getContext("2d", { willReadFrequently: true })!;
  paint.scale(2, 2);
  return paint;
}

function outline(paint: CanvasRenderingContext2D, shape: Symbol["shape"]): void {
  const middle = SIZE / 2;
  const radius = middle - 4;
  paint.beginPath();
  if (shape === "circle") paint.arc(middle, middle, radius, 0, 2 * Math.PI);
  else if (shape === "square") paint.rect(middle - radius + 1, middle - radius + 1, 2 * radius - 2, 2 * radius - 2);
  else {
    const corners = { triangle: 3, diamond: 4, hexagon: 6 }[shape];
    for (let corner = 0; corner < corners; corner++) {
      const angle = (2 * Math.PI * corner) / corners - Math.PI / 2;
      const reach = radius + 2;
      paint.lineTo(middle + reach * Math.cos(angle), middle + (shape === "triangle" ? 2 : 0) + reach * Math.sin(angle));
    }
  }
  paint.closePath();
}
