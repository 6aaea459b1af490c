/* The elementwise transform of a Real-NVP coupling (Dinh, Sohl-Dickstein and Bengio 2017,
 * section 3.2), a row a lane: y = x e^s + t, with s = B tanh(r / B). `raw` holds r and t,
 * LANES each. */
#define REALNVP_PARAMETERS 2

/* One coupling scales by at most e^2, so that ten, of which five move a column, scale by
 * at most e^10 and their inverse is still exact to eleven digits. */
#define REALNVP_BOUND 2

static inline vec realnvp_log_scale(const real *raw) {
  return C(REALNVP_BOUND) * vec_tanh(C(1.0 / REALNVP_BOUND) * vec_load(raw));
}

static inline vec realnvp_forward(vec *log_slope, vec x, const real *raw) {
  *log_slope = realnvp_log_scale(raw);
  return x * vec_exp(*log_slope) + vec_load(raw + LANES);
}

/* x of y, and the log of dx/dy. */
static inline vec realnvp_inverse(vec *log_slope, vec y, const real *raw) {
  *log_slope = -realnvp_log_scale(raw);
  return (y - vec_load(raw + LANES)) * vec_exp(*log_slope);
}

/* The slope dy/dx. */
static inline vec realnvp_slope(const real *raw) {
  return vec_exp(realnvp_log_scale(raw));
}

/* Of a function of y and of log dy/dx with derivatives dy and dlog: that in x, and draw.
 *   y = x e^s + t:  dx = dy e^s;  ds = dy x e^s + dlog;  dt = dy
 *   s = B tanh(r / B):  dr = ds (1 - (s / B)^2) */
static inline vec realnvp_backward(real *draw, vec dy, vec dlog, vec x, const real *raw) {
  const vec s = realnvp_log_scale(raw), part = C(1.0 / REALNVP_BOUND) * s;
  const vec dx = dy * vec_exp(s);
  vec_store(draw, (dx * x + dlog) * (C(1.0) - part * part));
  vec_store(draw + LANES, dy);
  return dx;
}
