/* Log densities and their parts, and the classifier, over tiles. */
struct density_work {
  real *x, *z, *buffer, *spare, *normaliser, *total;
  real *log_weight, *log_component; /* k x PANEL */
};

static struct density_work density_layout(struct arena *arena,
                                          const struct shape *shape) {
  struct density_work work;
  struct mlp mlp;
  struct arena counted = arena_open(NULL);
  mlp_layout(&mlp, &counted, shape);
  work.x = arena_reals(arena, shape->d * PANEL);
  work.z = arena_reals(arena, shape->d * PANEL);
  work.buffer = arena_reals(arena, mlp.widest * PANEL);
  work.spare = arena_reals(arena, mlp.widest * PANEL);
  work.normaliser = arena_reals(arena, PANEL);
  work.total = arena_reals(arena, PANEL);
  work.log_weight = arena_reals(arena, shape->k * PANEL);
  work.log_component = arena_reals(arena, shape->k * PANEL);
  return work;
}

static size_t density_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  density_layout(&arena, shape);
  return arena_size(&arena);
}

/* Large enough that handing out a tile costs nothing beside it, small enough to balance. */
static ptrdiff_t density_rows(void) { return 8 * PANEL; }

static void write_panel(double *out, ptrdiff_t stride, const real *values, ptrdiff_t n,
                        const struct rows *rows, ptrdiff_t begin) {
  for (ptrdiff_t j = 0; j < n; j++)
    for (ptrdiff_t p = 0; p < PANEL && begin + p < rows->count; p++)
      out[row_of(rows, begin + p) + j * stride] = (double)values[j * PANEL + p];
}

/* log w_k(z_k) and log N(x; mu_k, Sigma_k) of all components for the panel in work->x. */
static void panel_terms(struct density_work *work, const struct model *model) {
  const ptrdiff_t n_k = model->shape.k;
  for (ptrdiff_t k = 0; k < n_k; k++) {
    real *log_weight = work->log_weight + k * PANEL;
    affine_forward(work->z, work->log_component + k * PANEL, &model->map, work->x, k);
    if (model->log_weight) {
      splat_panel(log_weight, model->log_weight[k]);
    } else {
      const real *logits = mlp_outputs(&model->mlp, work->z, work->buffer, work->spare);
      log_weight_own(log_weight, work->normaliser, logits, k, n_k);
    }
  }
}

static void density_tile(double *out, ptrdiff_t stride, const void *block,
                         enum quantity quantity, const struct rows *rows, void *scratch) {
  const struct model *model = model_at(block);
  const ptrdiff_t n_k = model->shape.k;
  struct arena arena = arena_open(scratch);
  struct density_work work = density_layout(&arena, &model->shape);

  for (ptrdiff_t begin = 0; begin < rows->count; begin += PANEL) {
    load_panel(work.x, rows, model->shape.d, begin);
    panel_terms(&work, model);
    if (quantity == LOG_WEIGHT) {
      write_panel(out, stride, work.log_weight, n_k, rows, begin);
      continue;
    }
    if (quantity == LOG_COMPONENT) {
      write_panel(out, stride, work.log_component, n_k, rows, begin);
      continue;
    }
    /* log v_k = log w_k + log N_k - log p */
    real *joint = work.log_component;
    for (ptrdiff_t i = 0; i < n_k * PANEL; i += LANES)
      vec_store(joint + i, vec_load(joint + i) + vec_load(work.log_weight + i));
    log_sum_exp(work.total, joint, n_k);
    if (quantity == LOG_DENSITY) {
      write_panel(out, stride, work.total, 1, rows, begin);
      continue;
    }
    for (ptrdiff_t k = 0; k < n_k; k++)
      for (ptrdiff_t p = 0; p < PANEL; p += LANES)
        vec_store(joint + k * PANEL + p,
                  vec_load(joint + k * PANEL + p) - vec_load(work.total + p));
    write_panel(out, stride, joint, n_k, rows, begin);
  }
}

/* log w(z) of the panel in work->x, k x PANEL, in work->log_weight. */
static void panel_classifier(struct density_work *work, const struct model *model) {
  const ptrdiff_t n_k = model->shape.k;
  if (model->log_weight) {
    for (ptrdiff_t k = 0; k < n_k; k++)
      splat_panel(work->log_weight + k * PANEL, model->log_weight[k]);
    return;
  }
  const real *logits = mlp_outputs(&model->mlp, work->x, work->buffer, work->spare);
  log_sum_exp(work->normaliser, logits, n_k);
  for (ptrdiff_t k = 0; k < n_k; k++)
    for (ptrdiff_t p = 0; p < PANEL; p += LANES)
      vec_store(work->log_weight + k * PANEL + p,
                vec_load(logits + k * PANEL + p) - vec_load(work->normaliser + p));
}

static void classifier_tile(double *out, ptrdiff_t stride, const void *block,
                            const struct rows *rows, void *scratch) {
  const struct model *model = model_at(block);
  struct arena arena = arena_open(scratch);
  struct density_work work = density_layout(&arena, &model->shape);
  for (ptrdiff_t begin = 0; begin < rows->count; begin += PANEL) {
    load_panel(work.x, rows, model->shape.d, begin);
    panel_classifier(&work, model);
    write_panel(out, stride, work.log_weight, model->shape.k, rows, begin);
  }
}
