"""The words of the catalogue: kinds of products and what they are made of; hand-written products."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """What a product is. names: as titles have it. prices: lowest and highest, in yen.

    coded: whether titles name a model, such as KX120B.
    """

    category: str
    names: tuple[str, ...]
    materials: tuple[str, ...]
    features: tuple[str, ...]
    prices: tuple[int, int]
    coded: bool = False


def _kind(
    category: str, names: str, materials: str, features: str, prices: str, coded: bool = False
) -> Kind:
    low, high = map(int, prices.split("-"))
    return Kind(
        category,
        tuple(names.split()),
        tuple(materials.split()),
        tuple(features.split()),
        (low, high),
        coded,
    )


KINDS = {
    "shoes": _kind("靴", "革靴 運動靴 長靴 スニーカー", "牛革 合皮", "防水 軽量", "3900-24000"),
    "socks": _kind("衣類", "靴下 五本指靴下", "綿 ウール", "抗菌 厚手", "500-2200"),
    "umbrella": _kind("雑貨", "雨傘 日傘 折りたたみ傘", "", "軽量 撥水 ワンタッチ", "1200-9800"),
    "bag": _kind("鞄", "通勤鞄 手提げ鞄 リュック", "牛革 帆布 ナイロン", "撥水 軽量", "3500-32000"),
    "wallet": _kind("鞄", "長財布 二つ折り財布 小銭入れ", "牛革 合皮", "薄型", "2500-18000"),
    "hat": _kind("衣類", "麦わら帽子 ニット帽 つば広帽子", "綿 ウール", "軽量", "1800-7800"),
    "jacket": _kind(
        "衣類", "ジャケット レインジャケット", "綿 ナイロン", "防水 撥水", "5900-29000"
    ),
    "coat": _kind("衣類", "コート ダッフルコート", "ウール 綿", "撥水 厚手", "9800-48000"),
    "sweater": _kind("衣類", "セーター カーディガン", "ウール 綿", "厚手", "3900-16000"),
    "trousers": _kind("衣類", "ワイドパンツ チノパンツ", "綿 麻", "厚手", "2900-12000"),
    "gloves": _kind("衣類", "手袋 作業用手袋", "牛革 ウール", "防水 厚手", "900-6800"),
    "pot": _kind("台所", "土鍋 片手鍋 両手鍋 圧力鍋", "陶器 アルミ", "軽量", "2400-19000"),
    "pan": _kind("台所", "フライパン 深型フライパン", "鉄 アルミ", "軽量", "1500-8800"),
    "knife": _kind("台所", "三徳包丁 パン切り包丁", "ステンレス 鋼", "軽量", "2800-16000"),
    "chopsticks": _kind("食器", "夫婦箸 菜箸 塗り箸", "竹 木製", "抗菌", "400-3800"),
    "plate": _kind("食器", "小皿 大皿 取り皿", "陶器 磁器 木製", "", "400-4800"),
    "bowl": _kind("食器", "茶碗 汁椀 どんぶり", "陶器 磁器 木製", "", "600-4200"),
    "teapot": _kind("食器", "急須 土瓶", "陶器 鉄", "", "2400-14000"),
    "bottle": _kind("台所", "水筒 保温ボトル", "ステンレス", "軽量 抗菌", "1600-5400"),
    "tea": _kind("食品", "緑茶 ほうじ茶 麦茶 紅茶", "", "", "500-3200"),
    "bread": _kind("食品", "食パン メロンパン", "", "", "200-900"),
    "rice": _kind("食品", "新米 無洗米 玄米", "", "", "1800-6400"),
    "book": _kind("本", "絵本 料理本 文庫本", "", "", "600-2600"),
    "shelf": _kind("家具", "本棚 飾り棚", "木製", "薄型", "4900-28000"),
    "desk": _kind("家具", "勉強机 座卓 折りたたみ机", "木製", "", "6900-42000"),
    "mirror": _kind("家具", "手鏡 卓上鏡 姿見", "木製", "薄型", "900-12000"),
    "pillow": _kind("寝具", "低反発枕 抱き枕", "綿 麻", "抗菌", "1900-9800"),
    "futon": _kind("寝具", "掛け布団 敷き布団 座布団", "綿 ウール", "抗菌 軽量", "2900-24000"),
    "clock": _kind("雑貨", "腕時計 掛け時計 目覚まし時計", "", "防水 薄型", "1900-39000", True),
    "fan": _kind("家電", "扇風機 卓上扇風機", "", "軽量", "2900-16000", True),
    "cleaner": _kind("家電", "掃除機 コードレス掃除機", "", "軽量", "8900-52000", True),
    "cooker": _kind("家電", "炊飯器 圧力炊飯器", "", "", "6900-58000", True),
    "charger": _kind("家電", "充電器 モバイル充電器", "", "薄型", "1500-6900", True),
    "earphones": _kind("家電", "イヤホン 無線イヤホン", "", "防水 軽量", "1900-24000", True),
}

COLOURS = {
    "black": ("黒", "ブラック"),
    "white": ("白", "ホワイト"),
    "red": ("赤", "レッド"),
    "navy": ("紺", "ネイビー"),
    "brown": ("茶色", "ブラウン"),
    "green": ("緑", "グリーン"),
}
COLOURLESS = frozenset({"tea", "bread", "rice", "book", "knife"})
BRANDS = ("青空堂", "山野工房", "ひかり屋", "北の店", "小川商店", "ヤマネコ", "つばさ", "ミナモ")
SERIES = ("KX", "TR", "NB", "HS")

HAND_WRITTEN = (
    ("shoes", "はじめての靴 歩きやすい子ども用 赤", "red", "", "軽量"),
    ("shoes", "雨の日も歩ける紳士靴 本革 黒", "black", "牛革", "防水"),
    ("shoes", "足にやさしい婦人靴 幅広 ネイビー", "navy", "合皮", ""),
    ("umbrella", "風に強い傘 十六本骨 紺", "navy", "", "撥水"),
    ("umbrella", "親子で使える大きな傘 赤", "red", "", ""),
    ("umbrella", "晴れの日も雨の日も使える傘 白", "white", "", "軽量"),
    ("pot", "ひとり暮らしの鍋 直火とIHに", "", "アルミ", "軽量"),
    ("pot", "囲んで食べる大きな鍋 八号", "", "陶器", ""),
    ("plate", "料理が映える皿 五枚組 白", "white", "磁器", ""),
    ("chopsticks", "名入れできる箸 桐箱入り 赤", "red", "木製", ""),
    ("tea", "朝の一杯のお茶 ティーバッグ三十包", "", "", ""),
    ("tea", "山のふもとの深むし茶 百グラム", "", "", ""),
    ("book", "はじめての革細工 道具と型紙の本", "", "", ""),
    ("book", "日本の茶の歴史を読む本", "", "", ""),
    ("book", "鉄のフライパンで作る肉料理の本", "", "", ""),
    ("mirror", "玄関に置ける大きな鏡 木の枠", "", "木製", ""),
    ("pillow", "首が楽になる枕 洗えるカバー付き", "", "綿", ""),
    ("desk", "朝から向かいたくなる机 幅百センチ", "", "木製", ""),
    ("rice", "ふるさとの米 五キロ", "", "", ""),
    ("bread", "石窯で焼いたパン 六個入り", "", "", ""),
    ("bag", "旅にも仕事にも使える鞄 本革 茶色", "brown", "牛革", ""),
    ("hat", "首まで隠れる帽子 日よけ付き 緑", "green", "綿", "軽量"),
)
"""kind, title, colour, material, feature; empty where it has none."""
