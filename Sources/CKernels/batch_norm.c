// Batch normalisation with the addition and activation that may follow it.
//
// Training is two passes over memory each way, the least the mathematics allows: one for the statistics (or
// the two sums of backward), one to apply them. Between the two stands a short step per channel. All three
// share one parallel region; in the second pass a thread walks its own tasks backwards, so that it starts
// with what it has read last and still has in its cache.
#include <math.h>
#include <string.h>

#include "columns.h"

/// Channels a thread finishes at a time in the step between the passes.
enum { GROUP = 64 };

/// Scratch: two sets of partial results, then per-channel coefficients repeated for every fold.
typedef struct norm_scratch {
  double *first, *second;
  float *a, *b, *d, *mean, *shift;
} norm_scratch;

static norm_scratch carve(const column_plan *plan, void *scratch) {
  norm_scratch s;
  s.first = align_scratch(scratch);
  s.second = s.first + partial_count(plan);
  s.a = (float *)(s.second + partial_count(plan));
  s.b = s.a + plan->width;
  s.d = s.b + plan->width;
  s.mean = s.d + plan->width;
  s.shift = s.mean + plan->width;
  return s;
}

static bool valid(const oct_batch_norm_desc *desc, ptrdiff_t *count) {
  return oct_product((ptrdiff_t[]){desc->rows, desc->c}, 2, count) && desc->epsilon >= 0.0f &&
         oct_activation_check(&desc->activation) == OCT_OK;
}

ptrdiff_t oct_batch_norm_scratch_bytes(const oct_batch_norm_desc *desc) {
  ptrdiff_t count;
  if (!valid(desc, &count) || count == 0) return 0;
  const column_plan plan = plan_columns(desc->rows, desc->c);
  return 2 * partial_count(&plan) * (ptrdiff_t)sizeof(double) + 5 * plan.width * (ptrdiff_t)sizeof(float) +
         64;
}

/// Chan's formula over all parts and folds, in a fixed order, for channels [begin, end).
static void join_moments(const column_plan *plan, const norm_scratch *s, ptrdiff_t begin, ptrdiff_t end,
                         double *mean, double *m2) {
  double total = 0.0;
  for (ptrdiff_t i = begin; i < end; i++) mean[i - begin] = m2[i - begin] = 0.0;
  for (ptrdiff_t part = 0; part < plan->parts + (plan->rest > 0); part++) {
    const bool is_rest = part == plan->parts;
    const double rows = (double)(is_rest ? plan->rest : part_rows(plan, part));
    for (ptrdiff_t f = 0; f < (is_rest ? 1 : plan->fold); f++) {
      const double share = rows / (total + rows), across = total * share;
      const double *part_mean = s->first + part * plan->width + f * plan->c;
      const double *part_m2 = s->second + part * plan->width + f * plan->c;
      for (ptrdiff_t i = begin; i < end; i++) {
        const double delta = part_mean[i] - mean[i - begin];
        mean[i - begin] += delta * share;
        m2[i - begin] += part_m2[i] + delta * delta * across;
      }
      total += rows;
    }
  }
}

/// Copies the coefficients of channels [begin, end) to the other folds.
static void repeat(const column_plan *plan, ptrdiff_t begin, ptrdiff_t end, float *values) {
  for (ptrdiff_t f = 1; f < plan->fold; f++)
    memcpy(values + f * plan->c + begin, values + begin, (size_t)(end - begin) * sizeof(float));
}

oct_status oct_batch_norm_forward_training(const oct_batch_norm_desc *desc, const float *src,
                                           const float *gamma, const float *beta, const float *residual,
                                           float *running_mean, float *running_var, float *dst,
                                           float *save_mean, float *save_inv_std, float *save_shift,
                                           void *scratch, int threads) {
  ptrdiff_t count;
  if (!valid(desc, &count)) return OCT_INVALID_DESCRIPTOR;
  if (count == 0) return OCT_OK;
  const oct_maps_leaves *leaves = oct_maps();
  const column_plan plan = plan_columns(desc->rows, desc->c);
  const norm_scratch s = carve(&plan, scratch);
  const double rows = (double)desc->rows, fraction = (double)desc->momentum;
#pragma omp parallel num_threads(oct_team(threads, count))
  {
    ptrdiff_t first, last;
    oct_share(plan.tasks, omp_get_thread_num(), omp_get_num_threads(), &first, &last);
    for (ptrdiff_t t = first; t < last; t++) {
      const column_task task = task_at(&plan, t);
      leaves->column_moments(task.rows, task.stride, task.width, src + task.offset, s.first + task.partial,
                             s.second + task.partial);
    }
#pragma omp barrier
#pragma omp for schedule(static)
    for (ptrdiff_t begin = 0; begin < desc->c; begin += GROUP) {
      const ptrdiff_t end = oct_min(begin + GROUP, desc->c);
      double mean[GROUP], m2[GROUP];
      join_moments(&plan, &s, begin, end, mean, m2);
      for (ptrdiff_t i = begin; i < end; i++) {
        const double m = mean[i - begin], var = m2[i - begin] / rows;
        const double unbiased = desc->rows > 1 ? m2[i - begin] / (rows - 1.0) : var;
        save_mean[i] = (float)m;
        save_inv_std[i] = (float)(1.0 / sqrt(var + (double)desc->epsilon));
        // From the rounded value, so that backward finds the same bits.
        const double scale = (double)save_inv_std[i] * (double)gamma[i];
        running_mean[i] = (float)((double)running_mean[i] + fraction * (m - (double)running_mean[i]));
        running_var[i] = (float)((double)running_var[i] + fraction * (unbiased - (double)running_var[i]));
        s.mean[i] = (float)m;
        s.a[i] = (float)scale;
        // What rounding the mean to float took away is given back here: it matters where |mean| ≫ deviation.
        s.b[i] = save_shift[i] = (float)((double)beta[i] + ((double)s.mean[i] - m) * scale);
      }
      repeat(&plan, begin, end, s.mean);
      repeat(&plan, begin, end, s.a);
      repeat(&plan, begin, end, s.b);
    }
    for (ptrdiff_t t = last; t-- > first;) {
      const column_task task = task_at(&plan, t);
      leaves->norm_apply(task.rows, task.stride, task.width, src + task.offset,
                         residual == NULL ? NULL : residual + task.offset, s.mean + task.column,
                         s.a + task.column, s.b + task.column, &desc->activation, dst + task.offset);
    }
  }
  return OCT_OK;
}

oct_status oct_batch_norm_recompute(const oct_batch_norm_desc *desc, const float *src, const float *gamma,
                                    const float *residual, const float *save_mean, const float *save_inv_std,
                                    const float *save_shift, float *dst, int threads) {
  ptrdiff_t count;
  if (!valid(desc, &count)) return OCT_INVALID_DESCRIPTOR;
  if (count == 0) return OCT_OK;
  const oct_maps_leaves *leaves = oct_maps();
  const column_plan plan = plan_columns(desc->rows, desc->c);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, count))
  for (ptrdiff_t t = 0; t < plan.tasks; t++) {
    const column_task task = task_at(&plan, t);
    float scale[OCT_COLUMNS], shift[OCT_COLUMNS], centre[OCT_COLUMNS];
    for (ptrdiff_t i = 0, run; i < task.width; i += run) {
      const ptrdiff_t channel = (task.column + i) % desc->c;
      run = oct_min(desc->c - channel, task.width - i);
      for (ptrdiff_t k = 0; k < run; k++) {
        centre[i + k] = save_mean[channel + k];
        // As forward has it.
        scale[i + k] = (float)((double)save_inv_std[channel + k] * (double)gamma[channel + k]);
        shift[i + k] = save_shift[channel + k];
      }
    }
    leaves->norm_apply(task.rows, task.stride, task.width, src + task.offset,
                       residual == NULL ? NULL : residual + task.offset, centre, scale, shift,
                       &desc->activation, dst + task.offset);
  }
  return OCT_OK;
}

oct_status oct_batch_norm_forward_inference(const oct_batch_norm_desc *desc, const float *src,
                                            const float *gamma, const float *beta, const float *mean,
                                            const float *var, const float *residual, float *dst,
                                            int threads) {
  ptrdiff_t count;
  if (!valid(desc, &count)) return OCT_INVALID_DESCRIPTOR;
  if (count == 0) return OCT_OK;
  const oct_maps_leaves *leaves = oct_maps();
  const column_plan plan = plan_columns(desc->rows, desc->c);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, count))
  for (ptrdiff_t t = 0; t < plan.tasks; t++) {
    const column_task task = task_at(&plan, t);
    // There is no scratch: each task derives its own coefficients, few beside its rows.
    float scale[OCT_COLUMNS], shift[OCT_COLUMNS], centre[OCT_COLUMNS];
    for (ptrdiff_t i = 0, run; i < task.width; i += run) {
      const ptrdiff_t channel = (task.column + i) % desc->c;
      run = oct_min(desc->c - channel, task.width - i);
      for (ptrdiff_t k = 0; k < run; k++) {
        centre[i + k] = mean[channel + k];
        // Not sqrtf, whose errno keeps the loop from being vectorised.
        scale[i + k] = gamma[channel + k] / __builtin_elementwise_sqrt(var[channel + k] + desc->epsilon);
        shift[i + k] = beta[channel + k];
      }
    }
    leaves->norm_apply(task.rows, task.stride, task.width, src + task.offset,
                       residual == NULL ? NULL : residual + task.offset, centre, scale, shift,
                       &desc->activation, dst + task.offset);
  }
  return OCT_OK;
}

oct_status oct_batch_norm_backward_inference(const oct_batch_norm_desc *desc, const float *dst, const float *diff_dst,
                                             const float *gamma, const float *var, float *diff_src,
                                             bool accumulate_src, float *diff_residual, bool accumulate_residual,
                                             int threads) {
  ptrdiff_t count;
  const bool differentiates = desc->activation.kind != OCT_IDENTITY;
  if (!valid(desc, &count) || !oct_activation_keeps_output(desc->activation.kind) || (differentiates && dst == NULL))
    return OCT_INVALID_DESCRIPTOR;
  if (count == 0 || (diff_src == NULL && diff_residual == NULL)) return OCT_OK;
  const oct_maps_leaves *leaves = oct_maps();
  const column_plan plan = plan_columns(desc->rows, desc->c);
#pragma omp parallel for schedule(static) num_threads(oct_team(threads, count))
  for (ptrdiff_t t = 0; t < plan.tasks; t++) {
    const column_task task = task_at(&plan, t);
    float scale[OCT_COLUMNS];
    const float zero[OCT_COLUMNS] = {0.0f};
    for (ptrdiff_t i = 0; i < task.width; i++) {
      const ptrdiff_t channel = (task.column + i) % desc->c;
      scale[i] = (float)((double)gamma[channel] / sqrt((double)var[channel] + (double)desc->epsilon));
    }
    // Nothing is added to scale · g, and what the leaf makes of its source is not used.
    const oct_norm_gradient from = {.activation = desc->activation, .src = diff_dst + task.offset,
                                    .dst = differentiates ? dst + task.offset : NULL, .diff_dst = diff_dst + task.offset,
                                    .mean = zero, .scale = scale};
    leaves->norm_gradient_apply(task.rows, task.stride, task.width, &from, NULL, NULL,
                                diff_src == NULL ? NULL : diff_src + task.offset, accumulate_src,
                                diff_residual == NULL ? NULL : diff_residual + task.offset, accumulate_residual);
  }
  return OCT_OK;
}

void oct_batch_norm_fold(const oct_batch_norm_desc *desc, const float *gamma, const float *beta, const float *mean,
                         const float *var, float *scale, float *bias) {
  for (ptrdiff_t i = 0; i < desc->c; i++) {
    const double s = (double)gamma[i] / sqrt((double)var[i] + (double)desc->epsilon);
    scale[i] = (float)s;
    bias[i] = (float)((double)beta[i] - (double)mean[i] * s);
  }
}

/// A task's part of a whole map's gradient.
static oct_norm_gradient gradient_at(const oct_norm_gradient *map, const norm_scratch *s, const column_task *task) {
  return (oct_norm_gradient){
      .activation = map->activation,
      .src = map->src + task->offset,
      .dst = map->dst == NULL ? NULL : map->dst + task->offset,
      .residual = map->residual == NULL ? NULL : map->residual + task->offset,
      .diff_dst = map->diff_dst + task->offset,
      .mean = s->mean + task->column,
      .scale = s->a + task->column,
      .shift = s->shift + task->column,
  };
}

/// With N rows, x̂ = (x − mean) · inv_std and g = diff_dst · f′:
/// diff_beta = Σ g, diff_gamma = Σ g · x̂,
/// diff_src = gamma · inv_std · (g − diff_beta / N − x̂ · diff_gamma / N).
oct_status oct_batch_norm_backward(const oct_batch_norm_desc *desc, const float *src, const float *dst,
                                   const float *residual, const float *diff_dst, const float *gamma, const float *save_mean,
                                   const float *save_inv_std, const float *save_shift, float *diff_src,
                                   bool accumulate_src, float *diff_residual, bool accumulate_residual, float *diff_gamma,
                                   float *diff_beta, void *scratch, int threads) {
  ptrdiff_t count;
  const oct_activation_kind kind = desc->activation.kind;
  const bool keeps_output = oct_activation_keeps_output(kind), differentiates = kind != OCT_IDENTITY;
  const bool recomputes = differentiates && (!keeps_output || dst == NULL);
  if (!valid(desc, &count) || (recomputes && save_shift == NULL)) return OCT_INVALID_DESCRIPTOR;
  if (count == 0) {
    for (ptrdiff_t i = 0; i < desc->c; i++) diff_gamma[i] = diff_beta[i] = 0.0f;
    return OCT_OK;
  }
  const oct_maps_leaves *leaves = oct_maps();
  const column_plan plan = plan_columns(desc->rows, desc->c);
  const norm_scratch s = carve(&plan, scratch);
  const double rows = (double)desc->rows;
  oct_norm_gradient map = {.activation = desc->activation, .src = src, .diff_dst = diff_dst,
                           .dst = differentiates && !recomputes ? dst : NULL, .residual = keeps_output ? NULL : residual};
  // The residual's gradient is g. Where it is assigned, the first pass does that, and the second one reads it instead of
  // diff_dst and what f′ follows from. Where f′ takes long, diff_src holds g between the two passes.
  const bool gives = differentiates && diff_residual != NULL && !accumulate_residual;
  const bool is_slow = recomputes && (!keeps_output || kind == OCT_SIGMOID);
  const bool holds = !gives && is_slow && diff_src != NULL && !accumulate_src;
  float *const kept = gives ? diff_residual : holds ? diff_src : NULL;
#pragma omp parallel num_threads(oct_team(threads, count))
  {
#pragma omp for schedule(static)
    for (ptrdiff_t f = 0; f < plan.fold; f++) {
      memcpy(s.mean + f * plan.c, save_mean, (size_t)plan.c * sizeof(float));
      if (recomputes) memcpy(s.shift + f * plan.c, save_shift, (size_t)plan.c * sizeof(float));
      for (ptrdiff_t i = 0; i < plan.c; i++)
        s.a[f * plan.c + i] = (float)((double)save_inv_std[i] * (double)gamma[i]);
    }
    ptrdiff_t first, last;
    oct_share(plan.tasks, omp_get_thread_num(), omp_get_num_threads(), &first, &last);
    for (ptrdiff_t t = first; t < last; t++) {
      const column_task task = task_at(&plan, t);
      const oct_norm_gradient from = gradient_at(&map, &s, &task);
      leaves->norm_gradient_sums(task.rows, task.stride, task.width, &from, kept == NULL ? NULL : kept + task.offset,
                                 s.first + task.partial, s.second + task.partial);
    }
#pragma omp barrier
#pragma omp for schedule(static)
    for (ptrdiff_t begin = 0; begin < desc->c; begin += GROUP) {
      const ptrdiff_t end = oct_min(begin + GROUP, desc->c);
      for (ptrdiff_t i = begin; i < end; i++) {
        const double sum_g = joined_sum(&plan, s.first, i), inv_std = (double)save_inv_std[i];
        const double sum_gx = joined_sum(&plan, s.second, i) * inv_std, by_g = (double)gamma[i] * inv_std;
        diff_gamma[i] = (float)sum_gx;
        diff_beta[i] = (float)sum_g;
        s.b[i] = (float)(-by_g * inv_std * sum_gx / rows);
        s.d[i] = (float)(-by_g * sum_g / rows);
      }
      repeat(&plan, begin, end, s.b);
      repeat(&plan, begin, end, s.d);
    }
    // Nobody asks for the gradient of a network's input.
    if (diff_src == NULL && (diff_residual == NULL || gives)) first = last;
    oct_norm_gradient rest = map;
    if (kept != NULL) rest = (oct_norm_gradient){.src = src, .diff_dst = kept};
    for (ptrdiff_t t = last; t-- > first;) {
      const column_task task = task_at(&plan, t);
      const oct_norm_gradient from = gradient_at(&rest, &s, &task);
      leaves->norm_gradient_apply(task.rows, task.stride, task.width, &from, s.b + task.column, s.d + task.column,
                                  diff_src == NULL ? NULL : diff_src + task.offset, accumulate_src,
                                  diff_residual == NULL || gives ? NULL : diff_residual + task.offset,
                                  accumulate_residual);
    }
  }
  return OCT_OK;
}
