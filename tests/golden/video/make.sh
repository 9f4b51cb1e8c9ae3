#!/bin/sh
# Makes the test videos and what FFmpeg's own program decodes of them; nothing of Noctis is used.
# Frame N, of 75 at 25 a second, is red 3 N, green 255 - 3 N, blue 3 X + Y.
set -e
cd "$(dirname "$0")"
picture="color=black:s=64x48:r=25:d=3,format=rgb24,geq=r='N*3':g='255-N*3':b='X*3+Y'"
make() {
    ffmpeg -v error -y -bitexact -f lavfi -i "$picture" "$@"
}
# Interlaced, open groups of pictures, pixels that are not square: as recorders write.
make -c:v mpeg2video -q:v 3 -g 12 -bf 2 -flags +ilme+ildct+bitexact -vf setdar=16/9 \
    -f dvd -muxrate 400k mpeg2.mpg
make -c:v mpeg2video -q:v 3 -g 12 -bf 2 -flags +bitexact -pat_period 9 -f mpegts mpeg2.ts
# Interlaced (MBAFF), open groups of pictures, sound beside the pictures.
make -f lavfi -i "sine=440:d=3:r=32000" -c:v libx264 -crf 22 -pix_fmt yuv420p \
    -x264-params open-gop=1:keyint=20:bframes=2:scenecut=0:interlaced=1 \
    -c:a mp2 -b:a 32k -flags +bitexact -pat_period 9 -f mpegts h264.ts
make -c:v libx264 -crf 22 -pix_fmt yuv420p -x264-params keyint=30:scenecut=0 \
    -flags +bitexact -f h264 bare.h264
make -frames:v 5 -vf scale=96:48 -c:v libx264 -crf 30 -pix_fmt yuv420p -flags +bitexact \
    -f h264 wide.h264
make -c:v libx265 -crf 24 -pix_fmt yuv420p10le \
    -x265-params keyint=20:bframes=3:log-level=none -flags +bitexact -f hevc bare.hevc
make -c:v libx265 -crf 24 -pix_fmt yuv420p \
    -x265-params keyint=20:bframes=3:log-level=none -flags +bitexact -f mp4 hevc.mp4
# Black but for frames 15 to 25, which are grey.
ffmpeg -v error -y -bitexact -f lavfi -i \
    "color=black:s=64x48:r=25:d=3,format=gray,geq=lum='if(between(N,15,25),200,0)'" \
    -c:v libx264 -crf 22 -pix_fmt yuv420p -flags +bitexact -f h264 black.h264
for stream in mpeg2.mpg mpeg2.ts h264.ts bare.h264 bare.hevc hevc.mp4; do
    for frame in 0 40 74; do
        ffmpeg -v error -y -i "$stream" -vf "select=eq(n\,$frame)" -frames:v 1 -pix_fmt rgb24 \
            "$stream.$frame.png"
    done
done
