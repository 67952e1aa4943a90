// A picture of side x side pixels as an address, from what says the color of each: red, green and blue, up to 255.
export function address(side, color) {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  canvas.width = canvas.height = side;
  const data = pen.createImageData(side, side);
  for (let p = 0; p < side * side; p++) data.data.set([...color(p), 255], 4 * p);
  pen.putImageData(data, 0, 0);
  return canvas.toDataURL();
}
