// A circle of unit vectors at angles in degrees: their pixels, and rings for handles that would overlap.
export const radians = (degrees) => (degrees * Math.PI) / 180;
export const between = (a, b) => Math.min(Math.abs(a - b), 360 - Math.abs(a - b));

// Pixels of an angle, and the angle of pixels; `out` is the distance from the circle.
export function compass(x0, y0, radius) {
  const at = (angle, out = 0) => [x0 + (radius + out) * Math.cos(radians(angle)), y0 - (radius + out) * Math.sin(radians(angle))];
  const scale = (angle) => at(angle)[0];
  scale.invert = (x, y) => ((Math.atan2(y0 - y, x - x0) * 180) / Math.PI + 360) % 360;
  return { at, scale };
}

// The ring of each handle, 0 on the circle and at most `room`; neighbors nearer than `face` pixels stand on different ones.
export function rings(angles, radius, room, face) {
  const ring = [];
  angles.map((_, i) => i).sort((a, b) => angles[a] - angles[b] || a - b).forEach((i, placed, order) => {
    const near = order.slice(0, placed).filter((j) => radians(between(angles[i], angles[j])) * radius < face);
    ring[i] = 0;
    while (ring[i] < room && near.some((j) => ring[j] === ring[i])) ring[i]++;
  });
  return ring;
}
