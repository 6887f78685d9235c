// Plain loops so that the graph can be tested; replaced by the fast kernels, which delete this file.
#include <math.h>
#include <string.h>
#include "CKernels.h"
typedef ptrdiff_t P;
#define D const oct_conv2d_desc *d
oct_status oct_conv2d_check(D){(void)d;return OCT_OK;}
P oct_conv2d_weights_count(D){return d->oc*(d->ic/d->g)*d->kh*d->kw;}
void oct_conv2d_pack_weights(D,const float*a,float*w){memcpy(w,a,4*oct_conv2d_weights_count(d));}
void oct_conv2d_unpack_weights(D,const float*w,float*a){memcpy(a,w,4*oct_conv2d_weights_count(d));}
P oct_conv2d_forward_scratch_bytes(D,int t){(void)d;(void)t;return 0;}
P oct_conv2d_backward_data_scratch_bytes(D,int t){(void)d;(void)t;return 0;}
P oct_conv2d_backward_weights_scratch_bytes(D,int t){(void)d;(void)t;return 0;}
P oct_conv2d_forward_sources_scratch_bytes(const oct_conv2d_source*s,int c,int t){(void)s;(void)c;(void)t;return 0;}
#define LOOP_OUT for(P n=0;n<d->n;n++)for(P y=0;y<d->oh;y++)for(P x=0;x<d->ow;x++)for(P o=0;o<d->oc;o++)
#define TAPS P icg=d->ic/d->g,ocg=d->oc/d->g,g=o/ocg;(void)g;for(P ky=0;ky<d->kh;ky++)for(P kx=0;kx<d->kw;kx++){P iy=y*d->sh-d->ph+ky,ix=x*d->sw-d->pw+kx;if(iy<0||ix<0||iy>=d->ih||ix>=d->iw)continue;for(P i=0;i<icg;i++){P si=((n*d->ih+iy)*d->iw+ix)*d->ic+g*icg+i,wi=((o*icg+i)*d->kh+ky)*d->kw+kx;
oct_status oct_conv2d_forward(D,const float*s,const float*w,const float*b,float*dst,bool acc,void*sc,int t){(void)sc;(void)t;
LOOP_OUT{float a=b?b[o]:0;TAPS a+=s[si]*w[wi];}} P q=((n*d->oh+y)*d->ow+x)*d->oc+o;dst[q]=acc?dst[q]+a:a;}return OCT_OK;}
oct_status oct_conv2d_backward_data(D,const float*dd,const float*w,float*ds,bool acc,void*sc,int t){(void)sc;(void)t;
if(!acc)memset(ds,0,4*d->n*d->ih*d->iw*d->ic);
LOOP_OUT{float v=dd[((n*d->oh+y)*d->ow+x)*d->oc+o];TAPS ds[si]+=v*w[wi];}}}return OCT_OK;}
oct_status oct_conv2d_backward_weights(D,const float*s,const float*dd,float*dw,bool acc,void*sc,int t){(void)sc;(void)t;
if(!acc)memset(dw,0,4*oct_conv2d_weights_count(d));
LOOP_OUT{float v=dd[((n*d->oh+y)*d->ow+x)*d->oc+o];TAPS dw[wi]+=v*s[si];}}}return OCT_OK;}
oct_status oct_conv2d_forward_sources(const oct_conv2d_source*s,int c,const float*b,const float*low,P lh,P lw,float*dst,void*sc,int t){
const oct_conv2d_desc*d=s[0].desc;
for(int i=0;i<c;i++)oct_conv2d_forward(s[i].desc,s[i].src,s[i].weights,i?0:b,dst,i>0,sc,t);
if(low)LOOP_OUT dst[((n*d->oh+y)*d->ow+x)*d->oc+o]+=low[((n*lh+y/2)*lw+x/2)*d->oc+o];return OCT_OK;}
double oct_fma_burn(int64_t i,int t){(void)i;(void)t;return 0;}
