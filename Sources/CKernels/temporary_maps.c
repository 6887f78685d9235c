// Plain loops so that the graph can be tested; replaced by the fast kernels, which delete this file.
#include <math.h>
#include <string.h>
#include "CKernels.h"
typedef ptrdiff_t P;
#define D const oct_pool2d_desc *d
oct_status oct_pool2d_check(D){(void)d;return OCT_OK;}
#define LP for(P n=0;n<d->n;n++)for(P y=0;y<d->oh;y++)for(P x=0;x<d->ow;x++)for(P c=0;c<d->c;c++)
#define WIN for(P ky=0;ky<d->kh;ky++)for(P kx=0;kx<d->kw;kx++){P iy=y*d->sh-d->ph+ky,ix=x*d->sw-d->pw+kx;if(iy<0||ix<0||iy>=d->ih||ix>=d->iw)continue;P si=((n*d->ih+iy)*d->iw+ix)*d->c+c;
#define Q (((n*d->oh+y)*d->ow+x)*d->c+c)
oct_status oct_avg_pool2d_forward(D,const float*s,float*o,int t){(void)t;LP{float a=0;int k=0;WIN a+=s[si];k++;}o[Q]=a/k;}return OCT_OK;}
oct_status oct_avg_pool2d_backward(D,const float*dd,float*ds,bool acc,int t){(void)t;if(!acc)memset(ds,0,4*d->n*d->ih*d->iw*d->c);
LP{int k=0;WIN (void)si;k++;}WIN ds[si]+=dd[Q]/k;}}return OCT_OK;}
oct_status oct_max_pool2d_forward(D,const float*s,float*o,int32_t*am,int t){(void)t;LP{float a=-INFINITY;int k=0;WIN if(s[si]>a){a=s[si];k=ky*d->kw+kx;}}o[Q]=a;if(am)am[Q]=k;}return OCT_OK;}
oct_status oct_max_pool2d_backward(D,const float*dd,const int32_t*am,float*ds,bool acc,int t){(void)t;if(!acc)memset(ds,0,4*d->n*d->ih*d->iw*d->c);
LP{WIN if(am[Q]==ky*d->kw+kx)ds[si]+=dd[Q];}}return OCT_OK;}
oct_status oct_global_avg_pool_forward(P n,P p,P c,const float*s,float*o,int t){(void)t;for(P i=0;i<n;i++)for(P k=0;k<c;k++){double a=0;for(P j=0;j<p;j++)a+=s[(i*p+j)*c+k];o[i*c+k]=a/p;}return OCT_OK;}
oct_status oct_global_avg_pool_backward(P n,P p,P c,const float*dd,float*ds,bool acc,int t){(void)t;for(P i=0;i<n;i++)for(P k=0;k<c;k++)for(P j=0;j<p;j++){float v=dd[i*c+k]/p;P q=(i*p+j)*c+k;ds[q]=acc?ds[q]+v:v;}return OCT_OK;}
#undef D
#define D const oct_upsample2x_desc *d
#define UI (((n*d->ih+y/2)*d->iw+x/2)*d->c+c)
oct_status oct_upsample2x_forward(D,const float*s,float*o,bool acc,int t){(void)t;LP o[Q]=(acc?o[Q]:0)+s[UI];return OCT_OK;}
oct_status oct_upsample2x_backward(D,const float*dd,float*ds,bool acc,int t){(void)t;if(!acc)memset(ds,0,4*d->n*d->ih*d->iw*d->c);LP ds[UI]+=dd[Q];return OCT_OK;}
#undef D
#define D const oct_batch_norm_desc *d
P oct_batch_norm_scratch_bytes(D){(void)d;return 0;}
oct_status oct_batch_norm_forward_training(D,const float*s,const float*ga,const float*be,const float*r,float*rm,float*rv,float*o,float*sm,float*si,void*sc,int t){(void)sc;(void)t;
for(P c=0;c<d->c;c++){double m=0,v=0;for(P i=0;i<d->rows;i++)m+=s[i*d->c+c];m/=d->rows;for(P i=0;i<d->rows;i++){double e=s[i*d->c+c]-m;v+=e*e;}
double var=v/d->rows;double inv=1/sqrt(var+d->epsilon);sm[c]=m;si[c]=inv;rm[c]+=d->momentum*(m-rm[c]);rv[c]+=d->momentum*((d->rows>1?v/(d->rows-1):var)-rv[c]);
for(P i=0;i<d->rows;i++){float y=(s[i*d->c+c]-m)*inv*ga[c]+be[c]+(r?r[i*d->c+c]:0);o[i*d->c+c]=d->relu&&y<0?0:y;}}return OCT_OK;}
oct_status oct_batch_norm_forward_inference(D,const float*s,const float*ga,const float*be,const float*rm,const float*rv,const float*r,float*o,int t){(void)t;
for(P c=0;c<d->c;c++){double inv=1/sqrt(rv[c]+d->epsilon);for(P i=0;i<d->rows;i++){float y=(s[i*d->c+c]-rm[c])*inv*ga[c]+be[c]+(r?r[i*d->c+c]:0);o[i*d->c+c]=d->relu&&y<0?0:y;}}return OCT_OK;}
oct_status oct_batch_norm_backward(D,const float*s,const float*o,const float*dd,const float*ga,const float*sm,const float*si,float*ds,bool as,float*dr,bool ar,float*dg,float*db,void*sc,int t){(void)sc;(void)t;
for(P c=0;c<d->c;c++){double g=0,gx=0;for(P i=0;i<d->rows;i++){P q=i*d->c+c;double v=d->relu&&o[q]<=0?0:dd[q];g+=v;gx+=v*(s[q]-sm[c])*si[c];}
dg[c]=gx;db[c]=g;for(P i=0;i<d->rows;i++){P q=i*d->c+c;float v=d->relu&&o[q]<=0?0:dd[q];float xh=(s[q]-sm[c])*si[c];float y=ga[c]*si[c]*(v-g/d->rows-xh*gx/d->rows);if(dr)dr[q]=ar?dr[q]+v:v;ds[q]=as?ds[q]+y:y;}}return OCT_OK;}
oct_status oct_relu_forward(P n,const float*s,float*o,int t){(void)t;for(P i=0;i<n;i++)o[i]=s[i]>0?s[i]:0;return OCT_OK;}
oct_status oct_relu_backward(P n,const float*o,const float*dd,float*ds,bool a,int t){(void)t;for(P i=0;i<n;i++)ds[i]=(a?ds[i]:0)+(o[i]>0?dd[i]:0);return OCT_OK;}
oct_status oct_add(P n,const float*a,const float*b,float*o,int t){(void)t;for(P i=0;i<n;i++)o[i]=a[i]+b[i];return OCT_OK;}
oct_status oct_copy(P n,const float*s,float*o,int t){(void)t;memcpy(o,s,4*n);return OCT_OK;}
oct_status oct_dropout(P n,float p,uint64_t seed,const float*s,float*o,bool a,int t){(void)t;(void)seed;(void)p;for(P i=0;i<n;i++)o[i]=(a?o[i]:0)+s[i];return OCT_OK;}
P oct_bias_backward_scratch_bytes(P r,P c){(void)r;(void)c;return 0;}
oct_status oct_bias_backward(P r,P c,const float*dd,float*db,void*sc,int t){(void)sc;(void)t;for(P k=0;k<c;k++){double a=0;for(P i=0;i<r;i++)a+=dd[i*c+k];db[k]=a;}return OCT_OK;}
oct_status oct_softmax_cross_entropy(P n,P c,const float*l,const int32_t*y,float s,float sc,float*lo,float*dl,int t){(void)t;for(P i=0;i<n;i++){double m=-1e30,z=0,su=0;for(P k=0;k<c;k++){m=fmax(m,l[i*c+k]);}for(P k=0;k<c;k++){z+=exp(l[i*c+k]-m);su+=l[i*c+k];}double lz=m+log(z);lo[i]=(1-s)*(lz-l[i*c+y[i]])+s*(lz-su/c);if(dl)for(P k=0;k<c;k++)dl[i*c+k]=sc*(exp(l[i*c+k]-lz)-(k==y[i]?1-s:0)-s/c);}return OCT_OK;}
oct_status oct_sgd_update(const oct_sgd*o,P n,const float*g,float*w,float*v,int t){(void)t;for(P i=0;i<n;i++){float x=g[i]*o->gradient_scale+o->weight_decay*w[i];if(v){v[i]=o->first_step?x:o->momentum*v[i]+x;x=o->nesterov?x+o->momentum*v[i]:v[i];}w[i]-=o->learning_rate*x;}return OCT_OK;}
oct_status oct_adam_update(const oct_adam*o,P n,const float*g,float*w,float*m,float*v,int t){(void)t;double c1=1-pow(o->beta1,o->step),c2=1-pow(o->beta2,o->step);for(P i=0;i<n;i++){float x=g[i]*o->gradient_scale;if(o->decoupled)w[i]*=1-o->learning_rate*o->weight_decay;else x+=o->weight_decay*w[i];m[i]=o->beta1*m[i]+(1-o->beta1)*x;v[i]=o->beta2*v[i]+(1-o->beta2)*x*x;w[i]-=o->learning_rate/c1*m[i]/(sqrt(v[i])/sqrt(c2)+o->epsilon);}return OCT_OK;}
double oct_sum_of_squares(P n,const float*x,int t){(void)t;double a=0;for(P i=0;i<n;i++)a+=(double)x[i]*x[i];return a;}
