"""Words for minors in some thirty-five languages other than English, as stems wherever the language inflects.

What is also an everyday word of English (``barn``, ``kind``, ``gutter``) is no entry: only the words beside it or its accents tell.
"""

from __future__ import annotations

STARTS = """
    divek dukru mergaic robatech malolac menorism menorist mineur puceau schulmadch bubch ninez ninec studen etudian opiskel mahasisw gutung
    killar tosern purk orfa neonat holk holc divk divc djevojk zakyn zackam synoc synov dietk dietc deckam nepilnamec dukro dukrel mokiny
    studiereng elevern estudian hallgat ogrenc unistud skolung adolescen orphelin nourrisson poupon gamin jouvencel pucell mioche gosse bambin
    ecolier lyceen collegien preado fillette garconn enfant galopin mouflet marmaille kindchen kindlein kinderch kindern bengel pubertier
    neugebor enkelin enkelkind enkelchen enkelsohn enkelto tochter tochterch toechter dreikasehoch backfisch lausbub madch maedchen maedel
    knabe madels madeln saugling saeugling schuler schueler jungling jungchen knirps waisen zogling halbstark minderjahr minderjaehr jugendl
    kleinkind kleinstkind heranwachs sprossling grundschul gymnasiast abiturient kindhei chamac chaval lactante mocos parvul chiquill chiquit
    muchach mozalbet huerfan sobrin nietecit nietit quinceaner escuincl cipot impuber jovencit colegial crianc hijit nenit infantil adolescenc
    figli lattant bimbett bimbin marmocchi monell liceal moccios fanciull puttin scolar alunn nipotin piccin orfan giovanett giovincell pargol
    ragazz minorenn menorid menorz petiz menina menino meninin miud pirralh filhinh mocinh rapaz rapari garoto garota garotin molequ catrai
    novinh estudant pivet bebezin zoontj jongetj jongen jongel jonger kleuter kindj leerling weesj weesk weesm puber peuter dreum zuigel
    scholier minderjarig meidj meiden dochter kleinzo kleindo tiener knulletj schoolkin ukkie koter meisj babytj basisscho ungdom skolflick
    skolbarn skolepig skolebarn skolejent skoleelev skolgut skolepo skolpojk flicka flickor flickeb smabarn smaflick smapojk smapig smadreng
    smajent barnbarn barneb barnepi barnsl barnlig barndom tjej minderar mindrear dotter datter parvl parvel bebis pojk tonaring tonarig
    tonaren tenaring tenare spadbarn spaedbarn spedbarn yngling nyfod knaegt knekt drenge dreng pigeb jentu jente jenta guttung guttene
    guttens lillep lintott poikasen pjokk lapse lapsi lapsu lapso tytto tytar tyttar oppila poika poikia poikie poikan pojan pojat pojalla
    pojalle pojalta pojasta vauva vauvo teini nuori nuorek nuoren nuoret nuorten nuorelle nuorena alaikai taaper koululai murrosik kakara
    koulut koulupoi
    penska pensko imevai pikkulap tenava vastasyntyn alakoulu wnucz noworod podlot coreczk niepelnolet mlodziez mlodziut chlopc chlopi chlopac
    chlopak chlopt dziec dziew uczennic uczni szkrab bachor smarkacz smarkul berbec berbeci przedszkol maluch maluszk bobas sierot licealist
    malolat niemowl nastolat brzdac brzdec pachol mlodocian nielat dzidzi osesek oseska gimnazjalist malolet nieletn panienk szczeniar
    pierwszoklas mimin kojen skolak skolac pubert pubertak vyrost capart devc devenk mladez mladist klucin kluk kluci kluki dcer detsk detick
    detic ditet batol nemluvn novoroz sirot holcic holcick holka holky holek hosik nezletil predskol chlapc chlapec robatk zaky zacka zackou
    zackach nedospel nedospe dievc dievk novorod ziak ziac babatk tinedz tinejdz vyrastk vyrastok neplnolet chlapcek dietat dietatk malick
    skolacik bebek oglan genci gencl gencm gencs genct gencd ergen bebel bebey bebesi bebede bebeg evlat evlad velet ufaklik ogrenci yavru
    delikanl yeniyetm yetim kizlar kizim kizin kiziy kizcag kizcik kizlik kizda kizki kizsa cocuk cocug kizanl baiet pustoaic pustiul
    pustiulic copil copii prunc fetit fetisc bebelus baietan nepotel minorul minorei tineret ovodas fiuc fiuk fiut fiun fiuv fiua fiui fiuj
    fiue fium fiuf fius fiuz iskolas ujszul bebik bebin bebij bebit bebiv bebib bebie bebiu kolyok kolyk tanulo diak serdul arva kamasz totyog
    unoka unoki unokah unokaj unokat leany lany tinedzs srac kisbab kisded suhanc siheder csitri gyer gyermek kiskor kislany kisfiu csecsem
    kisgy djec djet dijete dijetet djevoj djevoic devoj decak decac klinkin klinac klinc dojen ucenic ucenik bebam novoroj novorodj malisan
    maloljet malodob siroce siroci siroca curic curetak skolar kcer kcerk cerkic sincic tinejdzer pubertet momcic osnovac osnovc osnovnosk
    vaik mergait mergyt mergin berniuk kudik paaugl mazyl nepilnamet moksleiv mokini mokine moksl naujagim naslait naslaic dukra dukry dukre
    dukte dukros anuke anukas jaunuol pradinuk darzelin balita anakku bocah pelajar keponak perawan remaja murid siswa siswi batita podrost
    garot garcon schulkind nastolet ninit pikkutytt tudruk poisike imik beebi lapsep meiten zidain mazul pusaud
""".split()
"""What betrays a word that begins with it, whatever its ending."""

WORDS = """
    slyna slynan slynor enkeln grabbars grabbarnas sonnenes gutts bebeme nepotu nepotule elevu elevule sugarule klinki mokiniai bube barna
    barnenes barnas killes grabbs dite synem synom synum deckom studerende studerend uczacy divka killens madel madels madeln moutard moutards
    cadette cadettes petitfils preados mome momes fils eleve eleves neveu neveux ado ados enfantin chiard chiards bub buben bubi enkel enkels
    sohn sohne sohnes sohnen soehne bursche burschen tochter waise steppke balg madl jungs goren infanta infantas infantes escolar escolares
    nene nenes nenas pibe pibes piba pibas crio cria crios crias guagua guaguas puber puberes alumno alumna alumnos alumnas hijos hijas nieto
    nieta nietos nietas joven jovenes bebita bebito doncella guri guria guris gurias chavo chavos chava chavas nino bimbe pupo pupetto orfano
    infanti nipoti nipote scolari bebes aluno aluna alunos alunas filho filha filhos filhas moco mocos orfao orfa orfaos nenem neneca jovem
    jovens miudinho zoon zonen knul knullen meid joch puberde jonge unge unges ungen ungens unger ungers ungerne ungernes ungene ungenes ungar
    ungars ungarna ungarnas ung unga ungt elev elever elevers elevs eleverna elevernas elevene elevenes eleverne barnen barnens barnets
    barnene sonen sonens sonerna sonernas grabb grabben grabbar grabbarna grabbens kille killen killar killarna pige piger pigen pigens
    pigerne pigernes pigers pigernas purk purken sonnen sonner sonners sonnens sonnerne sonnernes sonnene tosen tosens toser toserne tosernes
    tosarna dotre dotrene dotrar dottrar dottrarna piken pikene gutta barnepike pojk pikebarn lillebror lillasyster lillesoster orpo orvon
    orvot orpolapsi poju corka corki corce corke corko corek corkom corkami corkach synek synka synkiem synkowi synow synowie syna synowi
    synami synach syn ucznia ucznie uczniow uczniem uczniowi uczen decko decka decku decky deckem deckum deckach decek deti detem detmi detech
    zaci zakyne synove synovi synu kluk hoch hosi holce kiz kizi kiza kizini kizina kizinin genc gencin gence oglu oglum evlat bebe bebeler
    elevul elevi elevii elevilor elevului eleva elevei elevele elevelor nepot nepoti nepotii nepotul nepotului nepotilor nepoata nepoate
    nepoatei nepoatelor minore minorele minorelor minorii minorilor minorului pusti pustii pustilor sugarul sugarului sugarilor sugarii fiica
    fiice fiicei fiicele fetele fetelor fetei fetita baiatul baiatului tanar tanara tineri fiu bebi tini beba bebo bebu bebom klinka klinke
    klinku klinkom klinci djete djeca deca decu dece decom decija kci curica sinovi sunus sunu sunaus anakan orok belia cucu cucunya yatim abg
    putrinya bayinya anakmu dara kijana msichana mvulana wasichana wavulana usaq femije vajza djali haur neska mutil seun seuns dogter meisie
    stulka strakur laps lapsed poiss poisid nen noia noies nois berns
""".split()
"""Whole words."""

OTHER = """
    fill fills holcomb holcombe synovial slyness lapse lapsed lapses lapsing lanyard lanyards lapsus arvada bebida bebidas bebiendo figlet
    dotterel dotterels laps gaming gamings gaminess merging putting puttings galloping miming copilot copilots copiloted berbecue curricula
    curricular curriculum killeen lapps tosser tossers hooch decca chiquita minimum ballett balett miudores fiume
""".split()
"""Words that begin like one of the above and are others."""

PHRASES = (
    r"(?:"
    r"tre em|em be|be gai|be trai|tre con|tre tho|tre nho|tre so sinh|so sinh|thieu nien|thieu nu|thieu nhi|nhi dong|vi thanh nien|cau be|"
    r"co be|con be|thang be|dua be|dua tre|be con|con nit|nhoc(?: con| ti)?|hoc sinh|nu sinh|nam sinh|chau (?:gai|trai|be|nho)|"
    r"con (?:trai|gai)|em (?:gai|trai|nho)|tuoi teen|mo coi|be nho|tre mo coi|mau giao|mam non|kucuk (?:kiz\w*|oglan\w*|cocu\w*|bebe\w*)|"
    r"kiz cocu\w*|resit olma\w*|anak anak|budak (?:lelaki|perempuan|kecil)|si (?:kecil|bungsu|buyung|upik)|batang (?:babae|lalaki)|"
    r"gadis (?:kecil|muda|cilik|remaja)|kanak kanak|yatim piatu|di bawah umur|anak (?:kecil|gadis|laki|sd|smp|sma)|dara muda|"
    r"wee (?:ones?|things?)|petite?s? (?:fils|filles?)|nouve(?:au|aux|lle|lles) nee?s?|nou nascut\w*|"
    r"(?:le|les|un|des|ce|ces|petits?|mon|ton|son) marmots?|(?:un|il|del|al|dal|piccolo|bel|mio|tuo|suo|primo) bimbo|"
    r"(?:ett|et|tva|to|tre|fire|fyra|sma|mitt|ditt|lite|lille|mit|dit|flera|mange|manga|alle|alla|lekande|legende"
    r"|passerande|passerende|krysser|nakne|nakent|nogne|sit|sitt|naket|ungt|glatt|glad|litet|lille|storre|yngre) barn|"
    r"barn (?:som|pa|og|och|leker|leger|spelar|spiller|gar|sitter|i|ved|vid|krysser|til)|menor(?:es)? de (?:edad|idade)|bajo la edad|"
    r"minderjarig\w*|unter 18 jahren"
    r")"
)
"""What is two words in its language, or is told from English by the word beside it: accents off, blanks single."""

ACCENTED = r"dieťa|tøs|tös|göre|gören|robě|țânc\w*|ţânc\w*|børn\w*|kız|děti|dítě|žá[kc]\w*|bērn\w*"
"""What only its accents tell from a word of English or of another language, as it is written."""

SCRIPTS = """
    дочек учне малюч малям студент учащ сынк крох юнц юнч дівча синк школя детенц φοιτητ σπουδαστ μαθητευ 신생 대학생 新生儿 新生兒 大学生
    นักศึกษา סטודנט طالب دانشجو девочк девоч девчон девчуш девчат девчур мальчик мальчиш мальчуг мальц ребён ребят дети детей детям детск детк
    деток детвор детишк дитя дитё подрост школьни школьниц школот школяр младен малыш малютк малолет несовершеннолет пацан отрок отроч юнец
    юнош юниц юный юная юные юных ученик учениц сирот дочк дочер дочурк доченьк дочь сынок сыноч сынишк карапуз кроха крохи крошка новорожд
    дошкол первоклас старшекласс младшеклас тинейдж тинэйдж внуч внук недоросл груднич гимназист лицеист девственниц бэби племянни дівчин
    дівчис дівчинк дівчат хлопчик хлопц хлопец хлопця хлопя хлопят хлопче хлопчис хлопчач дитин дитинч дитяч діти дітей дітям дітьми дітлах
    дітвор підліт підлітк немовл неповноліт малоліт малюк малят малятк малеч доньк дочц дочок учень учня учнів учні онук онуч юнак новонародж
    синочк синок первачок дечак дечац дечач дечк девојк девојч ћерк кћер кћери клинац клинц клинк школарац школарк школарц одојч новорођ
    синчић сироче сирочад тинејџер основац деца децо децу деци децом дјеч дјец дјев дијете момче момич малишан момчет бебе бебет бебешк беба
    пубертет ученичк παιδακ παιδι παιδια παιδικ κοριτσ κορασ αγορι αγορακι εφηβ μωρο μωρα μωρου μπεμπ ανηλικ νηπι βρεφ πιτσιρικ τεκνο τεκνα
    νεογεννητ ορφαν μαθητ μαθητρι κοπελ νεανιδ εγγον ανιψι παιδοπουλ νινι κορη κορης 少女 少年 少儿 少兒 子供 子ども こども 子等 子どもたち
    赤ちゃん 赤ん坊 女の子 男の子 未成年 ロリ ショタ 息子 坊や 坊ちゃん お嬢ちゃん ちびっ子 ちびっこ 悪ガキ メスガキ キッズ ティーン ベビー
    ベイビー チャイルド 生徒 十代 女子高 男子高 高校 中学 小学 初中 高中 孫娘 孫 女学生 女子校 女子大 チビ 乳飲み子 おさな いもうと 童女 乳飲
    孩 娃 婴 嬰 幼 小朋友 学生 學生 萝莉 蘿莉 正太 女童 男童 宝宝 寶寶 宝贝 寶貝 儿童 兒童 童子 学童 學童 孩童 童年 童星 牧童 顽童 神童 书童
    丫头 丫頭 儿子 兒子 女儿 女兒 小姑娘 小伙 小妹 小弟 小鬼 毛头 孙子 孫子 孙女 孤儿 孤兒 胎儿 侄女 外甥 闺女 閨女 豆蔻 及笄 垂髫 总角
    二八年华 金钗之年 舞勺 青春期 少男 姑娘 小丫 幼児 児童 園児 女児 男児 乳児 孤児 新生児 胎児 小児 遺児 稚児 乳幼児 소녀 소년 아이 어린이
    어린애 아기 아가 애기 미성년 학생 유아 로리 꼬마 꼬맹 청소년 아동 초등 중등 고등 여자애 남자애 초딩 중딩 고딩 여고생 여중생 남고생 남중생
    고교생 갓난 젖먹이 신생아 고아 영아 십대 유치원 손녀 손자 아들 딸아이 딸내미 막내딸 큰딸 딸을 딸이 딸은 딸의 딸과 딸들 쇼타 잼민 बच्च
    बच्ची लड़की लड़का लड़के लड़कि लड़को बालक बालिका किशोर नाबालिग शिशु छोकर छोरी नवजात अनाथ नन्ह गुड़िया दुधमु दुधमुँह विद्यार्थी छात्र मुन्न
    बेटी बेटा बेटे बेटि कन्या कुमारी अवयस्क पोती पोता नातिन बचपन स्कूल नौनिहाल शैशव टीनएज पुत्र طفل طفلة طفول أطفال اطفال فتاة فتيات فتيان فتى
    قاصر صبي صبايا مراهق رضيع بنت بنات اولاد غلام غلمان تلميذ تلامي مواليد مولود يتيم ايتام ناشئ ناشئة يافع حفيد مدرسة روضة حضانة قاصرات الرضع
    رضّع صغيرة~السن صغير~السن صغار~السن کودک كودك بچه بچگ نوجوان بچہ لڑکی لڑکا لڑکے نوزاد دختر پسر شیرخوار خردسال نونهال دانشاموز دانش~اموز
    فرزند نوباوه نوه یتیم کم~سن بچوں ילד ילדה ילדים תינוק נער נערה קטין קטינה מתבגר יתום יתומ פעוט עולל עוללי זאטוט תלמיד נכד ילדונ เด็ก ทารก
    วัยรุ่น เยาวชน ลูกสาว ลูกชาย กุมาร ดรุณ อนุชน ผู้เยาว์ สาวน้อย หนูน้อย นักเรียน หลานสาว หลานชาย วัยเยาว์ มัธยม ประถม อนุบาล แรกเกิด
    ลูกน้อย โลลิ ยุวชน เจ้าหนู শিশু বাচ্চা কিশোর মেয়ে ছেলে বালক বালিকা நাবालক குழந்தை சிறுமி சிறுவன் பையன் பெண்குழந்தை పిల్ల బాలిక బాలుడు
    శిశువు ಮಗು ಹುಡುಗ ಹುಡುಗಿ കുട്ടി ബാലൻ બાળક છોકર मुलग ਬੱਚ ਕੁੜੀ ਮੁੰਡ բալիկ երեխա աղջիկ տղա ბავშვ გოგონა ბიჭ ሕፃን ልጅ កូន ក្មេង ເດັກ
""".split()
"""Words of other scripts, found anywhere; a blank within one is written ``~``."""

WHOLE_IN_SCRIPTS = """
    дете дета синам синами синах сину сине бебу бебе бебом сынами сынам сынах дјете сын сына сыну сыном сыне сыновья сыновей чадо чада син
    сина синові сином сини синів маля κορη κορες κορων γιος γιου γιο γιοι ولد الولد ولدا ابن ابنة ابنه ابنته ابني طفلي رضع حدثة בן בת בנות טף
    הטף ינוקא
""".split()
"""Words of other scripts that stand in longer ones by chance."""

ONE_SIGN = "童(?![话話謡谣顔颜])|児(?!島)|(?<![新老])娘(?!娘)"
"""Signs that name a minor in most of the words that they stand in, but for those whose next sign is here."""
