/* A path tracer for one tile of a picture, under the ABI of `wasm` tasks.
 *
 * One input of eight little-endian 32-bit words: width and height of the picture, left, top, width
 * and height of the tile, samples a pixel, seed. The output is the tile's red, green and blue as
 * 32-bit floats, row by row. Random numbers are integers made of pixel, sample and seed, so a tile
 * is the same whether it is drawn alone or with the rest.
 */
typedef unsigned u32;
typedef float f32;
typedef struct { f32 x, y, z; } vec;
typedef struct { vec centre; f32 radius; vec colour; f32 mirror; } sphere;

#define HEAP_BYTES (64u << 20)
#define SIDE_MAX 4096u
#define SAMPLES_MAX 4096u
#define BOUNCES 4
#define SPHERES 5
#define FAR 1e9f

static unsigned char *next = 0;
extern unsigned char __heap_base;

static vec v(f32 x, f32 y, f32 z) { vec a = {x, y, z}; return a; }
static vec add(vec a, vec b) { return v(a.x + b.x, a.y + b.y, a.z + b.z); }
static vec sub(vec a, vec b) { return v(a.x - b.x, a.y - b.y, a.z - b.z); }
static vec mul(vec a, vec b) { return v(a.x * b.x, a.y * b.y, a.z * b.z); }
static vec scale(vec a, f32 s) { return v(a.x * s, a.y * s, a.z * s); }
static f32 dot(vec a, vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static vec unit(vec a) { return scale(a, 1.0f / __builtin_sqrtf(dot(a, a))); }

static const sphere scene[SPHERES] = {
  {{0.0f, -1000.0f, 0.0f}, 1000.0f, {0.55f, 0.55f, 0.50f}, 0.0f},
  {{0.0f, 1.0f, 0.0f}, 1.0f, {0.75f, 0.25f, 0.20f}, 0.0f},
  {{-2.1f, 1.0f, 0.3f}, 1.0f, {0.90f, 0.90f, 0.90f}, 1.0f},
  {{2.1f, 1.0f, -0.3f}, 1.0f, {0.20f, 0.35f, 0.75f}, 0.0f},
  {{0.9f, 0.4f, 1.7f}, 0.4f, {0.85f, 0.70f, 0.25f}, 1.0f},
};

static u32 mix(u32 state) {
  state = state * 747796405u + 2891336453u;
  u32 word = ((state >> ((state >> 28) + 4u)) ^ state) * 277803737u;
  return (word >> 22) ^ word;
}

static f32 chance(u32 *state) {
  *state = mix(*state);
  return (f32)(*state >> 8) * (1.0f / 16777216.0f);
}

static vec inside(u32 *state) {
  vec point = v(0.0f, 0.0f, 0.0f);
  for (int i = 0; i < 8; i++) {
    f32 x = chance(state), y = chance(state), z = chance(state);
    point = v(2.0f * x - 1.0f, 2.0f * y - 1.0f, 2.0f * z - 1.0f);
    if (dot(point, point) < 1.0f) break;
  }
  return point;
}

static f32 distance(sphere one, vec origin, vec way) {
  vec off = sub(origin, one.centre);
  f32 half = dot(off, way);
  f32 inner = half * half - (dot(off, off) - one.radius * one.radius);
  if (inner <= 0.0f) return FAR;
  f32 root = __builtin_sqrtf(inner);
  if (-half - root > 0.01f) return -half - root;
  if (-half + root > 0.01f) return -half + root;
  return FAR;
}

static vec sky(vec way) {
  f32 up = 0.5f * (way.y + 1.0f);
  return add(scale(v(1.0f, 1.0f, 1.0f), 1.0f - up), scale(v(0.45f, 0.65f, 1.0f), up));
}

static vec trace(vec origin, vec way, u32 *state) {
  vec through = v(1.0f, 1.0f, 1.0f);
  for (int bounce = 0; bounce < BOUNCES; bounce++) {
    f32 nearest = FAR;
    int hit = -1;
    for (int i = 0; i < SPHERES; i++) {
      f32 far = distance(scene[i], origin, way);
      if (far < nearest) { nearest = far; hit = i; }
    }
    if (hit < 0) return mul(through, sky(way));
    sphere one = scene[hit];
    origin = add(origin, scale(way, nearest));
    vec normal = scale(sub(origin, one.centre), 1.0f / one.radius);
    vec scatter = inside(state);
    through = mul(through, one.colour);
    if (one.mirror > 0.5f) way = sub(way, scale(normal, 2.0f * dot(way, normal)));
    else way = unit(add(normal, scale(scatter, 0.99f)));
  }
  return v(0.0f, 0.0f, 0.0f);
}

static vec pixel(u32 x, u32 y, const u32 *in) {
  u32 width = in[0], height = in[1], samples = in[6];
  vec total = v(0.0f, 0.0f, 0.0f);
  for (u32 s = 0; s < samples; s++) {
    u32 state = mix(mix(mix(x + mix(y)) + s) + in[7]);
    f32 across = ((f32)x + chance(&state)) / (f32)width - 0.5f;
    f32 down = ((f32)y + chance(&state)) / (f32)height - 0.5f;
    f32 aspect = (f32)width / (f32)height;
    vec way = unit(v(across * aspect * 1.1f, -down * 1.1f - 0.12f, -1.0f));
    total = add(total, trace(v(0.0f, 1.7f, 6.0f), way, &state));
  }
  return scale(total, 1.0f / (f32)samples);
}

__attribute__((export_name("alloc"))) void *alloc(u32 size) {
  if (!next) next = &__heap_base;
  u32 start = ((u32)next + 15u) & ~15u;
  if (size > HEAP_BYTES) return 0;
  u32 end = start + size, have = __builtin_wasm_memory_size(0) << 16;
  if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535u) >> 16) == (u32)-1) return 0;
  next = (unsigned char *)end;
  return (void *)start;
}

__attribute__((export_name("run"))) unsigned long long run(const u32 *input, u32 length) {
  if (length != 40u || input[0] != 1u || input[1] != 32u) __builtin_trap();
  const u32 *in = input + 2;
  if (!in[0] || in[0] > SIDE_MAX || !in[1] || in[1] > SIDE_MAX) __builtin_trap();
  if (!in[4] || in[4] > in[0] || in[2] > in[0] - in[4]) __builtin_trap();
  if (!in[5] || in[5] > in[1] || in[3] > in[1] - in[5]) __builtin_trap();
  if (!in[6] || in[6] > SAMPLES_MAX) __builtin_trap();
  u32 size = in[4] * in[5] * 12u;
  f32 *out = alloc(size);
  if (!out) __builtin_trap();
  for (u32 y = 0; y < in[5]; y++) {
    for (u32 x = 0; x < in[4]; x++) {
      vec colour = pixel(in[2] + x, in[3] + y, in);
      f32 *place = out + 3u * (y * in[4] + x);
      place[0] = colour.x; place[1] = colour.y; place[2] = colour.z;
    }
  }
  return ((unsigned long long)(u32)out << 32) | size;
}
