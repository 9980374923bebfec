// The path tracer of tracer.c as a compute shader: one invocation a pixel of the tile.

@group(0) @binding(0) var<storage, read> job: array<u32, 8>;
@group(0) @binding(1) var<storage, read_write> pixels: array<f32>;

struct Sphere { centre: vec3<f32>, radius: f32, colour: vec3<f32>, mirror: f32 }
struct Random { state: u32, value: f32 }
struct Point { state: u32, value: vec3<f32> }

const BOUNCES = 4u;
const SPHERES = 5u;
const FAR = 1e9;

fn scene(i: u32) -> Sphere {
  switch i {
    case 0u: { return Sphere(vec3(0.0, -1000.0, 0.0), 1000.0, vec3(0.55, 0.55, 0.50), 0.0); }
    case 1u: { return Sphere(vec3(0.0, 1.0, 0.0), 1.0, vec3(0.75, 0.25, 0.20), 0.0); }
    case 2u: { return Sphere(vec3(-2.1, 1.0, 0.3), 1.0, vec3(0.90, 0.90, 0.90), 1.0); }
    case 3u: { return Sphere(vec3(2.1, 1.0, -0.3), 1.0, vec3(0.20, 0.35, 0.75), 0.0); }
    default: { return Sphere(vec3(0.9, 0.4, 1.7), 0.4, vec3(0.85, 0.70, 0.25), 1.0); }
  }
}

fn mixed(given: u32) -> u32 {
  let state = given * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}

fn chance(given: u32) -> Random {
  let state = mixed(given);
  return Random(state, f32(state >> 8u) * (1.0 / 16777216.0));
}

fn inside(given: u32) -> Point {
  var point = Point(given, vec3(0.0));
  for (var i = 0u; i < 8u; i++) {
    let x = chance(point.state);
    let y = chance(x.state);
    let z = chance(y.state);
    point = Point(z.state, 2.0 * vec3(x.value, y.value, z.value) - 1.0);
    if (dot(point.value, point.value) < 1.0) { break; }
  }
  return point;
}

fn distance_to(one: Sphere, origin: vec3<f32>, way: vec3<f32>) -> f32 {
  let off = origin - one.centre;
  let half = dot(off, way);
  let inner = half * half - (dot(off, off) - one.radius * one.radius);
  if (inner <= 0.0) { return FAR; }
  let root = sqrt(inner);
  if (-half - root > 0.01) { return -half - root; }
  if (-half + root > 0.01) { return -half + root; }
  return FAR;
}

fn sky(way: vec3<f32>) -> vec3<f32> {
  let up = 0.5 * (way.y + 1.0);
  return vec3(1.0) * (1.0 - up) + vec3(0.45, 0.65, 1.0) * up;
}

fn trace(first: vec3<f32>, toward: vec3<f32>, given: u32) -> vec3<f32> {
  var origin = first;
  var way = toward;
  var state = given;
  var through = vec3(1.0);
  for (var bounce = 0u; bounce < BOUNCES; bounce++) {
    var nearest = FAR;
    var hit = SPHERES;
    for (var i = 0u; i < SPHERES; i++) {
      let far = distance_to(scene(i), origin, way);
      if (far < nearest) { nearest = far; hit = i; }
    }
    if (hit == SPHERES) { return through * sky(way); }
    let one = scene(hit);
    origin = origin + way * nearest;
    let normal = (origin - one.centre) * (1.0 / one.radius);
    let scatter = inside(state);
    state = scatter.state;
    through = through * one.colour;
    if (one.mirror > 0.5) {
      way = way - normal * (2.0 * dot(way, normal));
    } else {
      let sum = normal + scatter.value * 0.99;
      way = sum * (1.0 / sqrt(dot(sum, sum)));
    }
  }
  return vec3(0.0);
}

@compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= job[4] || id.y >= job[5]) { return; }
  let x = job[2] + id.x;
  let y = job[3] + id.y;
  let size = vec2(f32(job[0]), f32(job[1]));
  var total = vec3(0.0);
  for (var s = 0u; s < job[6]; s++) {
    let across = chance(mixed(mixed(mixed(x + mixed(y)) + s) + job[7]));
    let down = chance(across.state);
    let u = (f32(x) + across.value) / size.x - 0.5;
    let v = (f32(y) + down.value) / size.y - 0.5;
    let way = vec3(u * (size.x / size.y) * 1.1, -v * 1.1 - 0.12, -1.0);
    total += trace(vec3(0.0, 1.7, 6.0), way * (1.0 / sqrt(dot(way, way))), down.state);
  }
  total = total * (1.0 / f32(job[6]));
  let place = 3u * (id.y * job[4] + id.x);
  pixels[place] = total.x;
  pixels[place + 1u] = total.y;
  pixels[place + 2u] = total.z;
}
