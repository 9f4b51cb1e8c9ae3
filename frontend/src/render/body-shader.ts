/** The rays of a body view for the graphics card: the server's formula (`reconstruction/rays.py`). */

export const BODY_VERTEX = `#version 300 es
void main() {
  vec2 at = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  gl_Position = vec4(at * 2.0 - 1.0, 0.0, 1.0);
}`;

/** More half-spaces than the volume's own six and a box's six are not made here. */
export const MOST_WALLS = 12;

export const BODY_FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler3D;

uniform sampler3D voxels;
uniform sampler2D lookup;
/** Place (column, row, slice) of the first pixel at depth 0, and steps to the next pixel, row, and for 1 mm. */
uniform vec3 start, across, along, deep;
/** Voxels of the volume in each direction, and those that the texture stands for. */
uniform vec3 shape, spread;
uniform vec4 walls[${MOST_WALLS}];
uniform float stepMm, low, rate, entries, unscale, pictureHeight;
uniform vec2 window;
uniform vec3 shade, normal;
uniform mat3 turn;
uniform int mode;
out vec4 seen;

float valueAt(vec3 place) {
  return texture(voxels, (clamp(place, vec3(0.0), shape - 1.0) + 0.5) / spread).r * unscale;
}

vec2 lightAt(vec3 place) {
  vec3 slope = vec3(
    valueAt(place + vec3(1, 0, 0)) - valueAt(place - vec3(1, 0, 0)),
    valueAt(place + vec3(0, 1, 0)) - valueAt(place - vec3(0, 1, 0)),
    valueAt(place + vec3(0, 0, 1)) - valueAt(place - vec3(0, 0, 1))
  ) * 0.5;
  vec3 inPatient = turn * slope;
  float size = length(inPatient);
  if (size < 1e-6) {
    return vec2(1.0, 0.0);
  }
  float facing = abs(dot(normal, inPatient)) / size;
  return vec2(shade.x + shade.y * facing, shade.z * pow(facing, 16.0));
}

void main() {
  vec3 from = start + across * (gl_FragCoord.x - 0.5) + along * (pictureHeight - gl_FragCoord.y - 0.5);
  float near = -1e9;
  float far = 1e9;
  for (int n = 0; n < ${MOST_WALLS}; n += 1) {
    float here = dot(walls[n].xyz, from) + walls[n].w;
    float change = dot(walls[n].xyz, deep);
    if (abs(change) < 1e-9) {
      if (here < -1e-6) {
        far = -2e9;
      }
    } else if (change > 0.0) {
      near = max(near, -here / change);
    } else {
      far = min(far, -here / change);
    }
  }
  int first = int(ceil(near / stepMm - 1e-4));
  int last = int(floor(far / stepMm + 1e-4));
  vec3 colour = vec3(0.0);
  float left = 1.0;
  float kept = 0.0;
  float found = 0.0;
  if (near <= far) {
    for (int n = first; n <= last; n += 1) {
      vec3 place = from + deep * (float(n) * stepMm);
      float value = valueAt(place);
      if (mode == 0) {
        float entry = clamp((value - low) * rate, 0.0, entries - 1.0);
        vec4 point = texelFetch(lookup, ivec2(int(entry + 0.5), 0), 0);
        if (point.a > 0.0) {
          vec2 light = shade.x > 0.0 ? lightAt(place) : vec2(1.0, 0.0);
          colour += left * point.a * (point.rgb * light.x + light.y);
          left *= 1.0 - point.a;
          if (left < 0.015) {
            break;
          }
        }
      } else {
        kept = found == 0.0 ? value : mode == 1 ? max(kept, value) : mode == 2 ? min(kept, value) : kept + value;
        found += 1.0;
      }
    }
  }
  if (mode == 0) {
    seen = vec4(left < 0.015 ? colour / (1.0 - left) : colour, 1.0);
  } else {
    float value = mode == 3 ? kept / max(found, 1.0) : kept;
    seen = vec4(vec3(found == 0.0 ? 0.0 : clamp((value - window.x) / window.y + 0.5, 0.0, 1.0)), 1.0);
  }
}`;
