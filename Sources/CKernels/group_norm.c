// Group normalisation: statistics of each image over the pixels and channels of a group. Two passes over memory each way, with
// the leaves of batch norm; parts of an image have partial results, whose number follows from the shape.
#include <math.h>

#include "columns.h"

typedef struct group_plan {
  ptrdiff_t n, pixels, c, groups, parts, chunks, tasks;
} group_plan;

static bool make_plan(const oct_group_norm_desc *d, group_plan *plan) {
  ptrdiff_t count;
  if (!oct_product((ptrdiff_t[]){d->n, d->pixels, d->c}, 3, &count)) return false;
  if (d->groups < 1 || d->c % d->groups != 0 || !(d->epsilon >= 0.0f)) return false;
  // Whatever the batch, so that an image's bits are the same in any, and fewer images need no more scratch.
  const ptrdiff_t parts = oct_max(1, oct_min(d->pixels / 64, 16));
  const ptrdiff_t chunks = oct_ceil_div(d->c, OCT_COLUMNS);
  *plan = (group_plan){d->n, d->pixels, d->c, d->groups, parts, chunks, d->n * parts * chunks};
  return true;
}

/// A rectangle of one image: where it begins in the map, in its image's channels, and in a set of partial results.
typedef struct group_task {
  ptrdiff_t offset, rows, column, width, coefficient, partial;
} group_task;

static group_task task_of(const group_plan *p, ptrdiff_t index) {
  const ptrdiff_t chunk = index % p->chunks, part = index / p->chunks % p->parts, image = index / p->chunks / p->parts;
  const ptrdiff_t column = chunk * OCT_COLUMNS;
  ptrdiff_t begin, end;
  oct_share(p->pixels, part, p->parts, &begin, &end);
  return (group_task){(image * p->pixels + begin) * p->c + column, end - begin, column, oct_min(OCT_COLUMNS, p->c - column),
                      image * p->c + column, (image * p->parts + part) * p->c + column};
}

/// Two sets of partial results in double, then five coefficients for each image and channel.
typedef struct group_scratch {
  double *first, *second;
  float *mean, *scale, *shift, *by_x, *constant;
} group_scratch;

static group_scratch carve(const group_plan *p, void *scratch) {
  const ptrdiff_t partial = p->n * p->parts * p->c, each = p->n * p->c;
  group_scratch s;
  s.first = align_scratch(scratch);
  s.second = s.first + partial;
  s.mean = (float *)(s.second + partial);
  s.scale = s.mean + each;
  s.shift = s.scale + each;
  s.by_x = s.shift + each;
  s.constant = s.by_x + each;
  return s;
}

ptrdiff_t oct_group_norm_scratch_bytes(const oct_group_norm_desc *d) {
  group_plan p;
  if (!make_plan(d, &p)) return 0;
  return 2 * p.n * p.parts * p.c * (ptrdiff_t)sizeof(double) + 5 * p.n * p.c * (ptrdiff_t)sizeof(float) + 64;
}

oct_status oct_group_norm_forward(const oct_group_norm_desc *d, const float *src, const float *gamma, const float *beta,
                                  float *dst, float *save_mean, float *save_inv_std, void *scratch, int threads) {
  group_plan p;
  if (!make_plan(d, &p)) return OCT_INVALID_DESCRIPTOR;
  const ptrdiff_t count = p.n * p.pixels * p.c, width = p.c / p.groups;
  if (count == 0) return OCT_OK;
  const oct_maps_leaves *leaves = oct_maps();
  const group_scratch s = carve(&p, scratch);
#pragma omp parallel num_threads(oct_team(threads, count))
  {
#pragma omp for schedule(static)
    for (ptrdiff_t t = 0; t < p.tasks; t++) {
      const group_task task = task_of(&p, t);
      leaves->column_moments(task.rows, p.c, task.width, src + task.offset, s.first + task.partial, s.second + task.partial);
    }
#pragma omp for schedule(static)
    for (ptrdiff_t g = 0; g < p.n * p.groups; g++) {
      const ptrdiff_t image = g / p.groups, begin = g % p.groups * width;
      // Chan's formula over parts and channels, in a fixed order.
      double mean = 0.0, m2 = 0.0, total = 0.0;
      for (ptrdiff_t part = 0; part < p.parts; part++) {
        ptrdiff_t first, last;
        oct_share(p.pixels, part, p.parts, &first, &last);
        const double rows = (double)(last - first);
        for (ptrdiff_t i = begin; i < begin + width; i++) {
          const ptrdiff_t at = (image * p.parts + part) * p.c + i;
          const double delta = s.first[at] - mean, share = rows / (total + rows);
          mean += delta * share;
          m2 += s.second[at] + delta * delta * total * share;
          total += rows;
        }
      }
      const double inv_std = 1.0 / sqrt(m2 / total + (double)d->epsilon);
      if (save_mean != NULL) {
        save_mean[g] = (float)mean;
        save_inv_std[g] = (float)inv_std;
      }
      for (ptrdiff_t i = begin; i < begin + width; i++) {
        const ptrdiff_t at = image * p.c + i;
        const double scale = (double)(float)inv_std * (double)gamma[i];
        s.mean[at] = (float)mean;
        s.scale[at] = (float)scale;
        // What rounding the mean to float took away is given back here.
        s.shift[at] = (float)((double)beta[i] + ((double)s.mean[at] - mean) * scale);
      }
    }
#pragma omp for schedule(static)
    for (ptrdiff_t t = 0; t < p.tasks; t++) {
      const group_task task = task_of(&p, t);
      const oct_activation identity = {OCT_IDENTITY, 0.0f, 0.0f};
      leaves->norm_apply(task.rows, p.c, task.width, src + task.offset, NULL, s.mean + task.coefficient,
                         s.scale + task.coefficient, s.shift + task.coefficient, &identity, dst + task.offset);
    }
  }
  return OCT_OK;
}

/// With N numbers in a group, x̂ = (x − mean) · inv_std and h = gamma · diff_dst:
/// diff_src = inv_std · (h − Σ h / N − x̂ · Σ h x̂ / N), diff_gamma = Σ diff_dst · x̂, diff_beta = Σ diff_dst.
oct_status oct_group_norm_backward(const oct_group_norm_desc *d, const float *src, const float *diff_dst, const float *gamma,
                                   const float *save_mean, const float *save_inv_std, float *diff_src, bool accumulate,
                                   float *diff_gamma, float *diff_beta, void *scratch, int threads) {
  group_plan p;
  if (!make_plan(d, &p)) return OCT_INVALID_DESCRIPTOR;
  const ptrdiff_t count = p.n * p.pixels * p.c, width = p.c / p.groups;
  if (count == 0) {
    for (ptrdiff_t i = 0; i < p.c; i++) diff_gamma[i] = diff_beta[i] = 0.0f;
    return OCT_OK;
  }
  const oct_maps_leaves *leaves = oct_maps();
  const group_scratch s = carve(&p, scratch);
  const double numbers = (double)(p.pixels * width);
#pragma omp parallel num_threads(oct_team(threads, count))
  {
#pragma omp for schedule(static)
    for (ptrdiff_t at = 0; at < p.n * p.c; at++) {
      const ptrdiff_t i = at % p.c, g = at / p.c * p.groups + i / width;
      s.mean[at] = save_mean[g];
      s.scale[at] = (float)((double)save_inv_std[g] * (double)gamma[i]);
    }
#pragma omp for schedule(static)
    for (ptrdiff_t t = 0; t < p.tasks; t++) {
      const group_task task = task_of(&p, t);
      const oct_norm_gradient from = {.src = src + task.offset, .diff_dst = diff_dst + task.offset,
                                      .mean = s.mean + task.coefficient, .scale = s.scale + task.coefficient};
      leaves->norm_gradient_sums(task.rows, p.c, task.width, &from, NULL, s.first + task.partial, s.second + task.partial);
    }
#pragma omp for schedule(static)
    for (ptrdiff_t g = 0; g < p.n * p.groups; g++) {
      const ptrdiff_t image = g / p.groups, begin = g % p.groups * width;
      double sum_h = 0.0, sum_hx = 0.0;
      for (ptrdiff_t part = 0; part < p.parts; part++)
        for (ptrdiff_t i = begin; i < begin + width; i++) {
          const ptrdiff_t at = (image * p.parts + part) * p.c + i;
          sum_h += (double)gamma[i] * s.first[at];
          sum_hx += (double)gamma[i] * s.second[at];
        }
      const double inv_std = (double)save_inv_std[g];
      for (ptrdiff_t i = begin; i < begin + width; i++) {
        s.by_x[image * p.c + i] = (float)(-inv_std * inv_std * inv_std * sum_hx / numbers);
        s.constant[image * p.c + i] = (float)(-inv_std * sum_h / numbers);
      }
    }
#pragma omp for schedule(static)
    for (ptrdiff_t i = 0; i < p.c; i++) {
      double sum_g = 0.0, sum_gx = 0.0;
      for (ptrdiff_t image = 0; image < p.n; image++) {
        const double inv_std = (double)save_inv_std[image * p.groups + i / width];
        for (ptrdiff_t part = 0; part < p.parts; part++) {
          const ptrdiff_t at = (image * p.parts + part) * p.c + i;
          sum_g += s.first[at];
          sum_gx += s.second[at] * inv_std;
        }
      }
      diff_gamma[i] = (float)sum_gx;
      diff_beta[i] = (float)sum_g;
    }
    if (diff_src != NULL) {
#pragma omp for schedule(static)
      for (ptrdiff_t t = 0; t < p.tasks; t++) {
        const group_task task = task_of(&p, t);
        const oct_norm_gradient from = {.src = src + task.offset, .diff_dst = diff_dst + task.offset,
                                        .mean = s.mean + task.coefficient, .scale = s.scale + task.coefficient};
        leaves->norm_gradient_apply(task.rows, p.c, task.width, &from, s.by_x + task.coefficient,
                                    s.constant + task.coefficient, diff_src + task.offset, accumulate, NULL, false);
      }
    }
  }
  return OCT_OK;
}
